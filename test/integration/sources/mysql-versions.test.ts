import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LibrarySet } from "../../../src/library-sets/model.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { mysqlDatabase, mysqlSource, type TestDatabase } from "../../helpers/mysql-database.ts";
import { openSetBench, type SetBench } from "../../helpers/set-bench.ts";

const OLD = "3.11.5";

describe("MariaDB with a client library of a library set", () => {
  let bench: SetBench;
  let db: TestDatabase;
  let old: LibrarySet;

  beforeAll(async () => {
    [bench, db] = await Promise.all([openSetBench(), mysqlDatabase()]);
    await using sets = await openSets(bench.dataDirectory);
    const draft = draftOf("old", [`mysql2@${OLD}`], "", { origin: { type: "registry", url: undefined } });
    old = await sets.create(draft, { signal: new AbortController().signal });
    await db.run("CREATE TABLE t (id BIGINT, at DATETIME(6), price DECIMAL(18,2), name TEXT)");
    await db.run(
      "INSERT INTO t SELECT seq, '2024-02-29 23:59:59.123456', seq / 4, CONCAT('é', seq) FROM seq_1_to_1000",
    );
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    await db?.[Symbol.asyncDispose]();
  });

  const waiting = () =>
    db.run(`SELECT COUNT(*) FROM information_schema.processlist
      WHERE db = DATABASE() AND state LIKE 'Waiting for table%'`);

  test("is read by an older mysql2 and the driver's own at the same time, each of which knows itself", async () => {
    await db.run("LOCK TABLES t WRITE");
    const source = mysqlSource(db, { table: "t" });
    const loads = Promise.all([old, undefined].map((set) => bench.load(source, set)));
    await Promise.race([expect.poll(waiting, { timeout: 30_000 }).toEqual([["2"]]), loads]);
    await db.run("UNLOCK TABLES");
    const [first, own] = await loads;
    expect([first, own].map((load) => load?.rows)).toEqual([1000, 1000]);
    expect(first?.columns).toEqual(own?.columns);
    expect(first?.ranWith).toMatchObject({ set: { name: "old", hash: old.hash } });
    expect(own?.ranWith).not.toHaveProperty("set");
    const versions = [first, own].map((load) => load?.ranWith.packages.find(({ name }) => name === "mysql2")?.version);
    expect(versions).toEqual([OLD, expect.not.stringMatching(OLD)]);
  });

  test("says what is wrong with a login in the same words", async () => {
    const wrong = mysqlSource({ ...db, password: "hunter2-is-wrong" }, { table: "t" });
    const error = await bench.test(wrong, old).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: "LOGIN_REFUSED" });
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });
});
