import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LibrarySet } from "../../../src/library-sets/model.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { type PostgresDatabase, postgresDatabase } from "../../helpers/postgres-database.ts";
import { openSetBench, type SetBench } from "../../helpers/set-bench.ts";

const OLD = "8.11.3";
const NEW = "8.23.0";

describe("PostgreSQL with client libraries of library sets", () => {
  let bench: SetBench;
  let db: PostgresDatabase;
  let old: LibrarySet;
  let recent: LibrarySet;

  beforeAll(async () => {
    [bench, db] = await Promise.all([openSetBench({ max: 4 }), postgresDatabase()]);
    await using sets = await openSets(bench.dataDirectory);
    const set = (version: string) => {
      const draft = draftOf(`pg-${version}`, [`pg@${version}`], "", { origin: { type: "registry", url: undefined } });
      return sets.create(draft, { signal: new AbortController().signal });
    };
    [old, recent] = await Promise.all([set(OLD), set(NEW)]);
    await db.run("CREATE TABLE t AS SELECT i AS id, 'x' || i AS name FROM generate_series(1, 1000) i");
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
  });

  /** How many statements wait for the table. */
  const waiting = () =>
    db.run(`SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND NOT granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);

  const versionOf = ({ ranWith }: Awaited<ReturnType<SetBench["load"]>>) =>
    ranWith.packages.filter(({ name }) => name === "pg");

  test("is read by two versions of pg at the same time, and by the driver's own, each of which knows itself", async () => {
    await db.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    const loads = [old, recent, undefined].map((set) => bench.load(db.source({ table: "t" }), set));
    await expect.poll(waiting).toEqual([["3"]]);
    await db.run("COMMIT");
    const [first, second, own] = await Promise.all(loads);
    expect([first, second, own].map((load) => load?.rows)).toEqual([1000, 1000, 1000]);
    expect(first).toMatchObject({ ranWith: { set: { name: `pg-${OLD}`, hash: old.hash } } });
    expect(second).toMatchObject({ ranWith: { set: { name: `pg-${NEW}`, hash: recent.hash } } });
    expect(own?.ranWith).not.toHaveProperty("set");
    expect([first, second, own].map((load) => load && versionOf(load))).toEqual([
      [{ name: "pg", version: OLD }],
      [{ name: "pg", version: NEW }],
      [{ name: "pg", version: expect.not.stringMatching(OLD) }],
    ]);
  });

  test("is read by a cursor as by COPY, where the set leaves that to the driver's own libraries", async () => {
    const load = await bench.load(db.source({ table: "t", transfer: "rows" }), old);
    expect(load).toMatchObject({ rows: 1000, columns: [{ name: "id" }, { name: "name" }] });
    expect(load.ranWith.packages).toContainEqual({ name: "pg-cursor", version: expect.any(String) });
  });

  test("ends what a dead worker has left at the server, through another worker with the set", async () => {
    await db.run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    const load = bench.load(db.source({ table: "t" }), old).catch((error: unknown) => error);
    await expect.poll(waiting).toEqual([["1"]]);
    const pids = bench.events.flatMap((event) => ("librarySet" in event && event.pid !== undefined ? [event.pid] : []));
    for (const pid of pids) if (existsSync(`/proc/${pid}`)) process.kill(pid, "SIGKILL");
    expect(await load).toMatchObject({ reason: "WORKER_CRASHED" });
    await expect.poll(waiting).toEqual([["0"]]);
    await db.run("COMMIT");
  });

  test("says what is wrong with a login in the same words", async () => {
    const wrong = bench.test(db.source({ table: "t" }, { password: "hunter2-is-wrong" }), old);
    const error = await wrong.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: "LOGIN_REFUSED" });
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });
});
