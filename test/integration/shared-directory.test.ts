import { execFile } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import { copyProgram } from "../helpers/copied-program.ts";
import { GrpcClient } from "../helpers/grpc-client.ts";
import { type Launch, launchDriver } from "../helpers/launch.ts";
import { makeUsers, type OsUser, type OsUsers } from "../helpers/os-users.ts";

const run = promisify(execFile);
const SHARED = 'share = "group"\n';

// Two users of the system are the only way to see what one may do with the other's files.
describe("a data directory that several users share", { timeout: 120_000 }, () => {
  const cleanUp = new AsyncDisposableStack();
  let users: OsUsers;
  let folder: string;
  let program: readonly string[];

  beforeAll(async () => {
    users = cleanUp.use(await makeUsers(2));
    folder = await mkdtemp(join(tmpdir(), "drover-users-"));
    cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
    await chmod(folder, 0o755);
    program = await copyProgram(join(folder, "program"));
  });

  afterAll(() => cleanUp.disposeAsync());

  /** Made as an administrator makes it. */
  async function dataDirectory(name: string, { mode = 0o2770, profile = SHARED } = {}): Promise<string> {
    const path = join(folder, name);
    await mkdir(join(path, "profiles"), { recursive: true });
    await writeFile(join(path, "profiles", "default.toml"), profile);
    await chown(path, 0, users.group.gid);
    await chmod(path, mode);
    return path;
  }

  const start = (dataDir: string, user: OsUser | undefined): Launch =>
    launchDriver({ dataDir, command: [...(user?.as ?? []), ...program] });

  async function connect(launch: Launch, dataDir: string): Promise<GrpcClient> {
    const { address } = await launch.message("ready");
    return new GrpcClient(String(address), { token: (await readFile(join(dataDir, "token"), "utf8")).trim() });
  }

  test("serves whoever starts first, and goes on with what another user's killed driver has left", async () => {
    const [anna, ben] = users.members;
    const dataDir = await dataDirectory("data");
    const file = join(folder, "numbers.csv");
    await writeFile(file, `n\n${Array.from({ length: 200_000 }, (_, n) => n).join("\n")}\n`);
    {
      await using first = start(dataDir, anna);
      using client = await connect(first, dataDir);
      await load(client, "ours", file);
      const { response } = await client.unary(DatasetService.method.loadDataset, {
        dataset: "unfinished",
        source: { uri: file },
      });
      expect(response.operation?.id).toBeDefined();
      await first.stop("SIGKILL");
    }
    expect(await badModes(dataDir, users.group.gid)).toEqual([]);
    {
      await using second = start(dataDir, ben);
      using client = await connect(second, dataDir);
      expect(await count(client, "ours")).toBe("200000");
      for (let time = 0; time < 4; time++) await load(client, "ours", file);
      await load(client, "unfinished", file);
      expect(await count(client, "unfinished")).toBe("200000");
      await client.unary(DatasetService.method.deleteDataset, { dataset: "unfinished" });
      // Retention has removed versions, the other user's too.
      const versions = async () =>
        (await client.unary(DatasetService.method.listVersions, { dataset: "ours" })).response;
      await expect.poll(async () => (await versions()).versions.length).toBeLessThanOrEqual(3);
      expect(await second.stop()).toEqual({ code: 0, signal: null });
    }
    expect(await badModes(dataDir, users.group.gid)).toEqual([]);
    {
      await using third = start(dataDir, anna);
      using client = await connect(third, dataDir);
      expect(await count(client, "ours")).toBe("200000");
      expect(await third.stop()).toEqual({ code: 0, signal: null });
    }
    expect(await readdir(join(dataDir, "instances"))).toEqual([]);
  });

  test("is closed to everybody else", async () => {
    const dataDir = await dataDirectory("closed");
    await using first = start(dataDir, users.members[0]);
    using client = await connect(first, dataDir);
    const file = join(folder, "few.csv");
    await writeFile(file, "n\n1\n");
    await load(client, "ours", file);
    const [command = "", ...as] = users.stranger.as;
    // The driver goes on making and removing files.
    const { stdout: paths } = await run("find", [dataDir, "-ignore_readdir_race", "-mindepth", "1"]);
    for (const path of paths.trim().split("\n")) {
      await expect(run(command, [...as, "test", "-e", path])).rejects.toMatchObject({ code: 1 });
    }
    await using second = start(dataDir, users.stranger);
    expect((await second.message("failed")).reason).toMatch(/^CONFIG_INVALID|DATA_DIRECTORY_UNUSABLE$/);
    await second.exited;
    expect(second.log()).toContain("EACCES");
  });

  test("lets the folders be that a client of the same user has made", async () => {
    const [anna, ben] = users.members;
    const dataDir = await dataDirectory("clients");
    const [command = "", ...as] = anna?.as ?? [];
    const drivers = join(dataDir, "drivers");
    await run(command, [...as, "sh", "-c", `umask 077; mkdir ${drivers}; touch ${drivers}/default.start.lock`]);
    await using first = start(dataDir, anna);
    await first.message("ready");
    await first.stop("SIGKILL");
    expect((await stat(drivers)).mode & 0o7777).toBe(0o2770);
    expect((await stat(join(drivers, "default.start.lock"))).mode & 0o777).toBe(0o660);
    await using second = start(dataDir, ben);
    await second.message("ready");
  });

  test("is refused where its mode keeps the group out, or lets everybody in", async () => {
    const refusal = async (dataDir: string) => (await start(dataDir, users.members[0]).message("failed")).message;
    expect(await refusal(await dataDirectory("no-group", { mode: 0o700 }))).toContain("EACCES");
    expect(await refusal(await dataDirectory("not-handed-down", { mode: 0o770 }))).toContain("mode 2770");
    expect(await refusal(await dataDirectory("everybody", { mode: 0o2777 }))).toContain("everybody may write it");
  });

  test("that a driver did not share before is refused with what there is to do, which works", async () => {
    const dataDir = await dataDirectory("before", { profile: "" });
    await using before = start(dataDir, undefined);
    using client = await connect(before, dataDir);
    const file = join(folder, "more.csv");
    await writeFile(file, "n\n1\n2\n");
    await load(client, "ours", file);
    await before.stop();
    await writeFile(join(dataDir, "profiles", "default.toml"), SHARED);
    await using refused = start(dataDir, users.members[0]);
    const failed = await refused.message("failed");
    expect(failed).toMatchObject({ reason: "DATA_DIRECTORY_UNUSABLE", phase: "configuration" });
    await refused.exited;
    const advice = /then: (.*)$/m.exec(refused.log())?.[1] ?? "";
    expect(advice).toContain("chgrp -R");
    await run("sh", ["-c", advice]);
    await using after = start(dataDir, users.members[0]);
    using again = await connect(after, dataDir);
    expect(await count(again, "ours")).toBe("2");
  });
});

async function load(client: GrpcClient, dataset: string, uri: string): Promise<void> {
  const { response } = await client.unary(DatasetService.method.loadDataset, { dataset, source: { uri } });
  const operationId = response.operation?.id ?? "";
  const events = await client.stream(DatasetService.method.watchLoad, { operationId }).toArray();
  const last = events.at(-1)?.event;
  if (last?.case !== "completed" || last.value.operation?.error) throw new Error(JSON.stringify(last, bigints));
}

async function count(client: GrpcClient, dataset: string): Promise<string> {
  const question = { kind: { case: "sql" as const, value: { sql: `SELECT count(*) AS n FROM "${dataset}"` } } };
  const { response } = await client.unary(QueryService.method.query, { question });
  return JSON.stringify(response.rows[0]?.values[0], bigints).replace(/\D/g, "");
}

const bigints = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

/** What the group could not use, or others could. */
async function badModes(dataDir: string, gid: number): Promise<readonly string[]> {
  const secrets = /^(token|.*\.json)$/;
  const bad: string[] = [];
  for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (path.startsWith(join(dataDir, "profiles"))) continue;
    // A killed driver's worker may live for a moment longer.
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    const { mode, gid: owner } = found;
    const staged = path.startsWith(join(dataDir, "staging"));
    const allowed = entry.isDirectory()
      ? [0o2770]
      : entry.name.endsWith(".parquet")
        ? // What was cut off before it was published is not sealed.
          [0o444, ...(staged ? [0o660] : [])]
        : secrets.test(entry.name) && entry.name !== "manifest.json"
          ? [0o640]
          : [0o660];
    if (owner !== gid || !allowed.includes(mode & 0o7777)) bad.push(`${path} ${owner} ${(mode & 0o7777).toString(8)}`);
  }
  return bad;
}
