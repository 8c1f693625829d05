import { existsSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { connect, type Drover, DroverError, ensureDriver, listDrivers } from "../../clients/node/src/index.ts";
import { openCatalog } from "../../src/catalog/catalog.ts";
import { claimInstance } from "../../src/catalog/instance.ts";
import type { LibrarySet } from "../../src/library-sets/model.ts";
import { createFindUsers } from "../../src/library-sets/users.ts";
import { runCli } from "../helpers/cli.ts";
import { holdFile } from "../helpers/held-file.ts";
import { openSets } from "../helpers/library-sets.ts";
import { driverProgram, type TestProfile, testProfile } from "../helpers/profile.ts";
import { acmeSet } from "../helpers/set-profile.ts";

// Several starts of drivers, and installs, one after the other.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const PROFILE = `
memory = "4GB"
pools.loaders.size = 2
workers.max = 3

[librarySets.kinds]
acme = "warehouse"

[librarySets.sources]
"lake-*" = "lake"
`;
const HELD = "x".repeat(1_000);

let profile: TestProfile;
let first: LibrarySet;
let lake: LibrarySet;
let second: LibrarySet;

beforeAll(async () => {
  profile = await testProfile();
  first = await acmeSet(profile.dataDirectory, "warehouse", "1.0.0");
  lake = await acmeSet(profile.dataDirectory, "lake", "3.0.0");
});
afterAll(() => profile[Symbol.asyncDispose]());

const { signal } = new AbortController();

/** The sets as one more process of the data directory has them, which sweeps what was made long ago. */
async function openAdministrator() {
  const { dataDirectory } = profile;
  await using parts = new AsyncDisposableStack();
  const instance = parts.use(await claimInstance({ dataDirectory, id: "administrator" }));
  const catalog = parts.use(await openCatalog({ dataDirectory, instance }));
  const users = createFindUsers({ dataDirectory, uses: catalog.librarySets });
  const sets = parts.use(await openSets(dataDirectory, "sets-of-administrator", { users }));
  const owned = parts.move();
  return {
    sets,
    async sweep({ hash }: LibrarySet): Promise<boolean> {
      const longAgo = new Date(Date.now() - 86_400_000);
      await utimes(sets.folderOf(hash), longAgo, longAgo);
      await sets.sweep((each, takeAway) => catalog.librarySets.unlessUsed(each, takeAway));
      return !existsSync(sets.folderOf(hash));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const acme = (uri: string) => ({ uri, format: "acme" });

async function versionRow(drover: Drover, dataset: string): Promise<unknown> {
  return await drover.sql(`SELECT version FROM ${dataset}`).rows();
}

async function startFailure(): Promise<DroverError> {
  const thrown: unknown = await ensureDriver(profile.options).then(
    (drover) => drover.close(),
    (error: unknown) => error,
  );
  if (!(thrown instanceof DroverError)) throw new Error(`no error of the driver: ${thrown}`);
  return thrown;
}

describe("a driver whose configuration names a library set", () => {
  const kinds = (named: string) => `librarySets.kinds = { ${named} }\n`;

  test.each([
    [
      "that is not there",
      kinds('postgres = "warehous"'),
      "LIBRARY_SET_NOT_FOUND",
      'setting librarySets.kinds.postgres: there is no library set "warehous"; did you mean "warehouse"?',
    ],
    [
      "without its kind",
      kinds('postgres = "warehouse"'),
      "LIBRARY_SET_LACKS_KIND",
      'setting librarySets.kinds.postgres: the library set "warehouse" serves only acme',
    ],
    [
      "by a name that nobody would find",
      kinds('acme = "ware\\u0068ouse"'),
      "CONFIG_INVALID",
      'write "warehouse" just so',
    ],
    [
      "beside parsers that its workers can't be confined to",
      `${kinds('acme = "warehouse"')}parsers.modules = ["/a*b/parsers.mjs"]\n`,
      "LIBRARY_SET_UNCONFINED",
      "/a*b/parsers.mjs",
    ],
  ])("%s does not start, and says why", async (_, toml, reason, message) => {
    await profile.configure(toml);
    const error = await startFailure();
    expect(error).toMatchObject({
      reason: "DRIVER_START_FAILED",
      start: { driverReason: reason, phase: "configuration" },
    });
    expect(error.message).toContain(message);
    expect(await profile.processes()).toEqual([]);
  });

  test("runs it, and shows what runs", async () => {
    await profile.configure(PROFILE);
    await using drover = await ensureDriver(profile.options);
    const { librarySets, capabilities } = await drover.driver();
    expect(librarySets).toEqual([
      {
        ...{ name: "lake", hash: lake.hash, kinds: [], sourcePatterns: ["lake-*"] },
        packages: [{ name: "acme-connector", version: "3.0.0" }],
      },
      {
        ...{ name: "warehouse", hash: first.hash, kinds: ["acme"], sourcePatterns: [] },
        packages: [{ name: "acme-connector", version: "1.0.0" }],
      },
    ]);
    expect(capabilities).toContain("source.acme");
    expect((await drover.sources.kinds()).map(({ kind }) => kind)).toContain("acme");
    const { stdout } = await runCli(["status", "--data-dir", profile.dataDirectory]);
    expect(stdout).toContain(`warehouse ${first.hash.slice(0, 12)} for acme: acme-connector 1.0.0`);
    expect(stdout).toContain(`lake ${lake.hash.slice(0, 12)} for sources lake-*: acme-connector 3.0.0`);
  });

  test("tells the names of sources to whoever may list them", async () => {
    await using drover = await ensureDriver(profile.options);
    const { address } = drover;
    for (const [role, scope, patterns] of [
      ["loader", { datasets: ["lake-*"] }, ["lake-*"]],
      ["loader", { hidden: [{ dataset: "*", columns: ["salary"] }] }, []],
      ["reader", undefined, []],
    ] as const) {
      const { token } = await drover.tokens.create({ name: "asker", role, scope });
      await using asker = await connect({ address, token });
      const [set] = (await asker.driver()).librarySets;
      expect(set).toMatchObject({ name: "lake", hash: lake.hash, sourcePatterns: patterns });
      await drover.tokens.revoke("asker");
    }
  });

  test("reads two sources at once, each with the set that serves it, and remembers which", async () => {
    await using drover = await ensureDriver(profile.options);
    await using held = await holdFile("held", HELD);
    await using heldLake = await holdFile("held-lake", HELD);
    await drover.sources.create({ name: "lake-orders", source: acme(heldLake.uri) });
    expect(await drover.sources.get("lake-orders")).toMatchObject({ librarySet: "lake" });
    const shown = await runCli(["sources", "show", "lake-orders", "--data-dir", profile.dataDirectory]);
    expect(shown.stdout).toMatch(/^read with +library set lake$/m);
    const loads = [
      await drover.load("plain", acme(held.uri)),
      await drover.load("from_lake", { uri: "source:lake-orders" }),
    ];
    const loading = Promise.all(loads.map((load) => load.result()));
    await Promise.race([Promise.all([held.asked, heldLake.asked]), loading]);
    held.letGo();
    heldLake.letGo();
    await loading;
    expect(await versionRow(drover, "plain")).toEqual([{ version: "1.0.0" }]);
    expect(await versionRow(drover, "from_lake")).toEqual([{ version: "3.0.0" }]);
    const { stdout } = await runCli(["describe", "from_lake", "--data-dir", profile.dataDirectory]);
    expect(stdout).toContain(`lake ${lake.hash.slice(0, 12)}: acme-connector 3.0.0`);
  });
});

describe("a library set that a driver works with", () => {
  test("can't be deleted, which says who needs it", async () => {
    await using drover = await ensureDriver(profile.options);
    const { pid } = await drover.driver();
    await using administrator = await openAdministrator();
    const { sets } = administrator;
    const error = await sets.remove("warehouse", { signal }).catch((thrown) => thrown);
    expect(error).toMatchObject({ reason: "LIBRARY_SET_IN_USE" });
    expect(error.message).toBe(
      `the library set "warehouse" is used by driver ${pid} of profile "default" on ${hostname()}, ` +
        "librarySets.kinds in profiles/default.toml:6",
    );
    expect((await sets.byName("warehouse")).hash).toBe(first.hash);
  });
});

describe("a library set that is replaced", () => {
  test("comes with a new driver, beside the old one, which finishes what it does with the old set and then leaves it to be swept", async () => {
    await using held = await holdFile("held", HELD);
    await using free = await holdFile("free", HELD);
    free.letGo();
    await using old = await ensureDriver(profile.options);
    const before = await old.driver();
    const load = await old.load("before", acme(held.uri));
    const loading = load.result();
    await Promise.race([held.asked, loading]);

    second = await acmeSet(profile.dataDirectory, "warehouse", "2.0.0");
    expect(second.hash).not.toBe(first.hash);
    const listed = await listDrivers({ dataDirectory: profile.dataDirectory, program: profile.options.program });
    expect(listed.map(({ fit }) => fit)).toEqual([
      expect.objectContaining({
        replaces: true,
        why: "the library set `warehouse` of the profile `default` changed since it started",
      }),
    ]);

    // Another app server asks for it at the same time; those who ask the old driver ask on.
    const env = { DROVER_DRIVER: driverProgram };
    const other = runCli(["datasets", "--data-dir", profile.dataDirectory], { env });
    const [next] = await Promise.all([ensureDriver(profile.options), other]);
    await using _ = next;
    expect(await other).toMatchObject({ code: 0, stdout: expect.stringContaining("from_lake") });
    expect(await versionRow(old, "plain")).toEqual([{ version: "1.0.0" }]);
    const after = await next.driver();
    expect(after.instanceId).not.toBe(before.instanceId);
    expect(after.librarySets).toMatchObject([
      { hash: lake.hash },
      { hash: second.hash, packages: [{ version: "2.0.0" }] },
    ]);
    await (await next.load("after", acme(free.uri))).result();
    const { version: made } = await next.dataset("after");
    expect(made.libraries).toEqual({
      set: { name: "warehouse", hash: second.hash },
      packages: [{ name: "acme-connector", version: "2.0.0" }],
    });
    expect(await versionRow(next, "after")).toEqual([{ version: "2.0.0" }]);

    // The old driver still runs the load that was begun on it, with the code that was begun with.
    expect(await profile.processes()).toHaveLength(2);
    await using administrator = await openAdministrator();
    expect(await administrator.sweep(first)).toBe(false);
    // Whoever asks the new one for the same waits for it, and hears what it was read with.
    const asked = await next.load("before", acme(held.uri));
    const sharing = asked.result();
    const phase = async () => (await next.operation(asked.operationId)).progress?.phase;
    await expect.poll(phase).toBe(`waiting for operation ${load.operationId} of another driver`);
    held.letGo();
    const { operation } = await loading;
    expect((await sharing).operation.outcome).toEqual(operation.outcome);
    expect(operation.outcome?.libraries).toEqual({
      set: { name: "warehouse", hash: first.hash },
      packages: [{ name: "acme-connector", version: "1.0.0" }],
    });
    const kept = (await next.dataset("before")).version.libraries;
    expect(kept).toEqual(operation.outcome?.libraries);
    expect(await versionRow(next, "before")).toEqual([{ version: "1.0.0" }]);
    await expect.poll(() => profile.processes(), { timeout: 30_000 }).toHaveLength(1);
    expect(await administrator.sweep(first)).toBe(true);
    expect(await administrator.sweep(second)).toBe(false);
  });
});
