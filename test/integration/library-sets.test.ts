import { execFile } from "node:child_process";
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { connect, type Drover, type InstallProgress } from "../../clients/node/src/index.ts";
import { commandFile, eventsOf, runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { givenEnvironment } from "../helpers/given-environment.ts";
import { packPackage } from "../helpers/npm-packages.ts";

vi.setConfig({ testTimeout: 240_000 });

let root: string;
let packages: string;
let driver: TestDriver;
/** On a data directory of its own, as a machine without a network has it; it may read the packages and nothing else. */
let other: TestDriver;
let client: Drover;
let far: Drover;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "drover-library-sets-"));
  packages = join(root, "packages");
  await packPackage(packages, { name: "acme", manifest: { dependencies: { pg: "8.11.3" } } });
  await packPackage(packages, { name: "pg", version: "8.11.3" });
  [driver, other] = await Promise.all([startDriver(), startDriver({ args: ["--file-roots", packages] })]);
  [client, far] = await Promise.all([connectTo(driver), connectTo(other)]);
});

afterAll(async () => {
  await Promise.all([client?.close(), far?.close()]);
  await Promise.all([driver?.[Symbol.asyncDispose](), other?.[Symbol.asyncDispose]()]);
  await rm(root, { recursive: true, force: true });
});

function connectTo({ address, token }: TestDriver): Promise<Drover> {
  return connect({ address, token });
}

const run = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: driver.dataDir }, cwd: root });

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

test("an administrator makes a set by the command, looks at it, and deletes it", async () => {
  const flags = ["-p", "acme@1.0.0", "--folder", "packages"];
  const made = eventsOf(await done("library-sets", "create", "warehouse", ...flags, "--json"));
  expect(made.map(({ event }) => event)).toEqual(expect.arrayContaining(["progress", "completed"]));
  expect(made).toContainEqual({ event: "progress", phase: "fetching", packages: 0, totalPackages: 2 });
  expect(made.at(-1)).toMatchObject({
    librarySet: {
      name: "warehouse",
      packageCount: 2,
      asked: [{ name: "acme", version: "1.0.0" }],
      kinds: ["postgres"],
    },
  });

  const settings = ["--setting", "postgres.partitions=2", "-p", "pg@8.11.3"];
  expect(await done("library-sets", "create", "tuned", ...flags, ...settings)).toMatch(
    /^tuned is there: 2 packages, .*, serves postgres, [0-9a-f]{12}\n$/,
  );
  const shown = await done("library-sets", "show", "tuned");
  expect(shown).toMatch(/serves +postgres\n/);
  expect(shown).toMatch(/setting postgres\.partitions +2\n/);
  expect(shown).toMatch(/acme +1\.0\.0 +MIT +asked for\n/);
  expect(await done("library-sets", "list")).toMatch(/tuned .*acme@1\.0\.0, pg@8\.11\.3 +postgres /);

  // With its lockfile the same set is made anywhere.
  await writeFile(join(root, "lock.json"), await done("library-sets", "show", "warehouse", "--lockfile"));
  const locked = ["--lockfile", "lock.json", "--folder", "packages"];
  const { hash } = await client.librarySets.get("warehouse");
  expect(await done("library-sets", "create", "again", ...locked)).toContain(hash.slice(0, 12));

  expect(await done("library-sets", "rm", "again")).toBe("again is deleted\n");
  await expect(client.librarySets.get("again")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
});

test("a set goes to another machine as one archive", async () => {
  const file = join(root, "warehouse.tgz");
  expect(await done("library-sets", "export", "warehouse", "warehouse.tgz")).toMatch(/^warehouse\.tgz: .*B\n$/);
  const { hash } = await client.librarySets.get("warehouse");
  const taken = await far.librarySets.import("elsewhere", file);
  expect(taken).toMatchObject({ name: "elsewhere", hash, packageCount: 2 });
  expect(await far.librarySets.get("elsewhere")).toEqual(taken);
  // Taken once more it is the same; under a name that is taken it is refused.
  expect(await far.librarySets.import("elsewhere", file)).toEqual(taken);
  const tuned = await collected(client.librarySets.export("tuned"));
  await writeFile(join(root, "tuned.tgz"), tuned);
  await expect(far.librarySets.import("elsewhere", tuned)).rejects.toMatchObject({
    reason: "LIBRARY_SET_EXISTS",
  });
  const replaced = await far.librarySets.import("elsewhere", tuned, { replace: true });
  expect(replaced.settings).toEqual({ postgres: { partitions: "2" } });
  await expect(far.librarySets.import("broken", (await readFile(file)).subarray(0, 700))).rejects.toMatchObject({
    reason: "INVALID_ARCHIVE",
  });
  await expect(far.librarySets.get("broken")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
});

test.each([
  [["-p", "acme"], "PACKAGE_VERSION_INEXACT"],
  [["--lockfile", "lock.json", "--setting", "postgres.warp=9"], "INVALID_LIBRARY_SET"],
  [["--lockfile", "lock.json", "--setting", "postgres.partitions=many"], "INVALID_LIBRARY_SET"],
])("what can't be made fails with its reason: %j, %s", async (flags, reason) => {
  const failed = await run("library-sets", "create", "never", "--folder", "packages", ...flags);
  expect([failed.code, failed.stdout, failed.stderr]).toEqual([1, "", expect.stringContaining(`drover: ${reason}: `)]);
  await expect(client.librarySets.get("never")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
});

test("a full disk under what the command writes is told in a line", async () => {
  const command = `"$0" "$@" > /dev/full`;
  const drover = [process.execPath, commandFile, "library-sets", "export", "warehouse", "-"];
  const env = { ...givenEnvironment(), DROVER_DATA_DIR: driver.dataDir, HOME: "/nonexistent" };
  const failed = await promisify(execFile)("sh", ["-c", command, ...drover], { env }).catch((error) => error);
  expect([failed.code, failed.stderr]).toEqual([
    1,
    "drover: standard output can't be written: ENOSPC: no space left on device, write\n",
  ]);
});

test("wrong usage says so", async () => {
  for (const flags of [
    [],
    ["-p", "a@1.0.0", "--registry", "http://x", "--folder", "y"],
    ["-p", "a@1.0.0", "--setting", "x=1"],
    ["--lockfile", ""],
  ])
    expect((await run("library-sets", "create", "never", ...flags)).code).toBe(2);
  const bare = await run("library-sets", "create", "never", "-p", "a@1.0.0", "b@1.0.0");
  expect([bare.code, bare.stderr]).toEqual([2, expect.stringContaining("stands before each of its values")]);
  const named = await run("library-sets", "create", "My Set", "-p", "a@1.0.0");
  expect([named.code, named.stderr]).toEqual([1, expect.stringContaining("name: takes up to 64 lower case letters")]);
  const place = await run("library-sets", "create", "never", "-p", "a@1.0.0", "--registry", "https://me:pw@x/");
  expect([place.code, place.stderr]).toEqual([1, expect.stringContaining("https:// URL without a login")]);
  const unwritten = await run("library-sets", "export", "warehouse", join(root, "nowhere", "x.tgz"));
  expect([unwritten.code, unwritten.stderr]).toEqual([2, expect.stringContaining("x.tgz can't be written: ENOENT")]);
  await expect(client.librarySets.import("never", root)).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
});

test("a set that is damaged is shown with what is wrong, and made again or deleted", async () => {
  const { hash } = await client.librarySets.get("tuned");
  const manifest = join(driver.dataDir, "library-sets", hash, "set.json");
  const harm = async () => {
    await chmod(manifest, 0o644);
    await appendFile(manifest, " ");
  };
  const told = /tuned: LIBRARY_SET_DAMAGED: .*set\.json was altered\n$/;
  await harm();
  expect(await done("library-sets", "list")).toMatch(told);
  expect(await done("library-sets", "show", "tuned")).toMatch(/hash +[0-9a-f]{64}\n.*problem +LIBRARY_SET_DAMAGED: /s);
  const damaged = { reason: "LIBRARY_SET_DAMAGED" };
  await expect(client.librarySets.lockfile("tuned")).rejects.toMatchObject(damaged);
  await expect(client.librarySets.check("tuned")).rejects.toMatchObject(damaged);
  await expect(collected(client.librarySets.export("tuned"))).rejects.toMatchObject(damaged);
  expect(await done("library-sets", "import", "tuned", "warehouse.tgz", "--replace")).toMatch(/^tuned is there: /);
  expect((await client.librarySets.get("tuned")).problem).toBeUndefined();
  await client.librarySets.import("tuned", join(root, "tuned.tgz"), { replace: true });
  expect(await client.librarySets.get("tuned")).toMatchObject({ hash, problem: undefined });
  await harm();
  expect(await done("library-sets", "rm", "tuned")).toBe("tuned is deleted\n");
  await expect(client.librarySets.get("tuned")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
});

test("a folder must lie where the driver may read", async () => {
  const draft = { name: "bounded", packages: [{ name: "acme", version: "1.0.0" }] };
  for (const folder of [root, join(root, "nowhere"), join(packages, ".."), other.dataDir])
    await expect(far.librarySets.create({ ...draft, folder })).rejects.toMatchObject({ reason: "PATH_NOT_ALLOWED" });
  const relative = far.librarySets.create({ ...draft, folder: "packages" });
  await expect(relative).rejects.toMatchObject({ reason: "PATH_NOT_ALLOWED" });
  const lockfile = await client.librarySets.lockfile("warehouse");
  expect((await far.librarySets.create({ ...draft, folder: packages, lockfile })).packageCount).toBe(2);
});

test("a client that leaves stops its install, of which nothing stays", async () => {
  const left = new AbortController();
  const onProgress = ({ phase }: InstallProgress) => phase === "fetching" && left.abort();
  // However late it leaves, the install goes on.
  const endless = { "endless.js": "setInterval(() => {}, 1000);" };
  await packPackage(packages, {
    name: "endless",
    manifest: { scripts: { install: "node endless.js" } },
    files: endless,
  });
  const draft = { name: "left", packages: [{ name: "endless", version: "1.0.0" }], folder: packages };
  const asked = client.librarySets.create({ ...draft, allowScripts: ["endless"] }, { signal: left.signal, onProgress });
  await expect(asked).rejects.toMatchObject({ reason: "CANCELLED" });
  const staging = join(driver.dataDir, "library-sets", "staging");
  await expect.poll(() => readdir(staging), { timeout: 30_000 }).toEqual([]);
  await expect(client.librarySets.get("left")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
});

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
