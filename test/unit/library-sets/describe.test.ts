import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createDescribeSet } from "../../../src/library-sets/describe.ts";
import type { DescribeSet, LibraryPackage } from "../../../src/library-sets/model.ts";
import { describeOffered } from "../../../src/loading/worker/set/offered.ts";
import type { WorkerPool } from "../../../src/loading/workers/model.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";
import { openTestWorkers } from "../../helpers/workers.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let workers: WorkerPool;
let describeSet: DescribeSet;

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder.path, "work"));
  const sets = {
    folderOf: () => "/nowhere",
    verify: () => Promise.reject(new Error("there is nothing to verify yet")),
  };
  const librarySets = { sets, stagingFolder: join(folder.path, "work") };
  workers = openTestWorkers(join(folder.path, "work"), { max: 1, librarySets });
  describeSet = createDescribeSet(workers);
});
afterAll(async () => {
  await workers[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

let made = 0;

/** A package as it lies in a set that is being made, asked what it offers. */
async function described(drover: unknown, files: Readonly<Record<string, string>> = {}) {
  const set = join(folder.path, `set-${++made}`);
  const path = "node_modules/acme";
  const all = { "package.json": JSON.stringify({ name: "acme", version: "1.2.0", type: "module", drover }), ...files };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(set, path, name)), { recursive: true });
    await writeFile(join(set, path, name), text);
  }
  const acme: LibraryPackage = { name: "acme", version: "1.2.0", path, direct: true, scripts: "none" };
  return describeSet({ folder: set, packages: [acme] }, { signal: new AbortController().signal });
}

const entry = { interface: 1, connectors: { acme: "./connector.js" } };
const withKind = (kind: string, more = "") => ({
  "connector.js": `export const connector = { kind: "acme", open() {} };\nexport const kind = ${kind};\n${more}`,
});

test("a set's packages are described by what they export, in a worker that has no files but the set's", async () => {
  const code = `{
    kind: "acme", summary: "Tables of ACME.", extensions: ["acme"], schemes: ["acme"], made: new Date(0),
    options: { table: { type: "string", doc: "The table.", example: "t", secretOfTheAuthor: 1 } },
    connectionOptions: { region: { type: "string", doc: "Where.", choices: ["eu", "us"] } },
  }`;
  const looking = `
    import { readFileSync } from "node:fs";
    import { INTERFACE_VERSION } from "@drover/connector";
    let found = "nothing";
    try { found = readFileSync("/etc/hostname", "utf8"); } catch (error) { found = error.code; }
    kind.summary += " " + found + " " + INTERFACE_VERSION + " " + Object.keys(process.env).filter((name) => /DROVER|npm/.test(name));`;
  const { connectors, parsers } = await described(
    { ...entry, parsers: "parsers.js" },
    { ...withKind(code, looking), "parsers.js": "export const upper = (text) => text?.toUpperCase();" },
  );
  expect(connectors).toEqual([
    {
      ...{ kind: "acme", package: "acme", version: "1.2.0", interface: 1, module: "node_modules/acme/connector.js" },
      descriptor: {
        kind: "acme",
        summary: "Tables of ACME. ERR_ACCESS_DENIED 1 ",
        extensions: ["acme"],
        schemes: ["acme"],
        options: { table: { type: "string", doc: "The table.", example: "t" } },
        connectionOptions: { region: { type: "string", doc: "Where.", choices: ["eu", "us"] } },
      },
    },
  ]);
  expect(parsers).toEqual([{ package: "acme", version: "1.2.0", module: "node_modules/acme/parsers.js" }]);
  expect(workers.status().busy).toBe(0);
});

test("a package may export what can't be had, as long as nobody asks for it", async () => {
  const module = `
    Object.assign(exports, { connector: { open() {} }, kind: { kind: "acme", summary: "x", options: {} } });
    Object.defineProperty(exports, "native", { enumerable: true, get() { throw new Error("no native part here"); } });`;
  const { connectors } = await described(
    { interface: 1, connectors: { acme: "connector.cjs" } },
    { "connector.cjs": module },
  );
  expect(connectors).toEqual([expect.objectContaining({ kind: "acme" })]);
});

test("a package without an entry offers nothing, and no worker is started for it", async () => {
  await using none = openTestWorkers(join(folder.path, "work"), { max: 1 });
  const nothing = createDescribeSet(none);
  const set = join(folder.path, "plain");
  await mkdir(join(set, "node_modules/pg"), { recursive: true });
  await writeFile(join(set, "node_modules/pg/package.json"), JSON.stringify({ name: "pg", version: "8.11.3" }));
  const pg: LibraryPackage = { name: "pg", version: "8.11.3", path: "node_modules/pg", direct: true, scripts: "none" };
  const { signal } = new AbortController();
  expect(await nothing({ folder: set, packages: [pg] }, { signal })).toEqual({ connectors: [], parsers: [] });
  expect(none.status().now).toBe(0);
});

describe("a package is refused, with its name, whose entry", () => {
  test.each<[string, unknown, string]>([
    ["is no object", "yes", "CONNECTOR_INVALID"],
    ["has no interface version", { connectors: {} }, "CONNECTOR_INVALID"],
    ["is for an older interface", { ...entry, interface: 0 }, "CONNECTOR_INTERFACE_UNKNOWN"],
    ["is for a newer interface", { ...entry, interface: 2 }, "CONNECTOR_INTERFACE_UNKNOWN"],
    ["names no module", { interface: 1, connectors: { acme: 5 } }, "CONNECTOR_INVALID"],
    ["names a module that is not there", { interface: 1, connectors: { acme: "./other.js" } }, "CONNECTOR_INVALID"],
    ["names one outside of the package", { interface: 1, connectors: { acme: "../../../x.js" } }, "CONNECTOR_INVALID"],
    ["has a kind of no possible name", { interface: 1, connectors: { "A B": "./connector.js" } }, "CONNECTOR_INVALID"],
  ])("%s", async (_, drover, reason) => {
    await expect(described(drover, withKind("{}"))).rejects.toMatchObject({
      reason,
      metadata: { package: "acme", version: "1.2.0" },
    });
  });
});

describe("a package is refused, with its name and module, that", () => {
  const good = `{ kind: "acme", summary: "x", extensions: [], options: {} }`;
  test.each<[string, string, RegExp]>([
    ["can't be loaded", "throw new Error('no such luck')", /connector\.js can't be loaded: no such luck$/],
    ["is no JavaScript", "export const kind = ;", /can't be loaded: Unexpected token/],
    ["needs what the set does not hold", 'import "pg-native";', /can't be loaded: .*pg-native/],
    ["exports no connector", `export const kind = ${good};`, /exports no connector$/],
    ["exports no kind", "export const connector = { open() {} };", /it exports no `kind`$/],
    [
      "calls its kind otherwise",
      withKind(good.replace('"acme"', '"other"'))["connector.js"],
      /`kind` is "other", not "acme" as in its package.json$/,
    ],
    [
      "has an option of no known type",
      withKind(good.replace("options: {}", 'options: { n: { type: "number", doc: "" } }'))["connector.js"],
      /`options\.n\.type` is none of string, boolean/,
    ],
    [
      "describes its kind with what is no plain data",
      withKind(good, "kind.options.self = kind;")["connector.js"],
      /describes its kind with what is no plain data$/,
    ],
    [
      "describes its kind with a book",
      withKind(good, "kind.summary = 'x'.repeat(2_000_000);")["connector.js"],
      /describes its kind with 2\d{6} characters$/,
    ],
    ["is written in TypeScript", `${withKind(good)["connector.js"]}const n: number = 1;`, /can't be loaded: /],
    [
      "takes an option of the driver",
      withKind(good.replace("options: {}", 'options: { secret: { type: "string", doc: "" } }'))["connector.js"],
      /the option secret is the driver's own/,
    ],
  ])("%s", async (_, code, message) => {
    await expect(described(entry, { "connector.js": code })).rejects.toMatchObject({
      reason: "CONNECTOR_INVALID",
      message: expect.stringMatching(message),
      metadata: { package: "acme", version: "1.2.0" },
    });
  });

  test("fails when what it exports is looked at", async () => {
    const files = {
      "connector.cjs": 'Object.defineProperty(exports, "kind", { get() { throw new Error("not today"); } });',
    };
    await expect(described({ interface: 1, connectors: { acme: "connector.cjs" } }, files)).rejects.toMatchObject({
      reason: "CONNECTOR_INVALID",
      message: expect.stringMatching(/connector\.cjs can't be loaded: not today$/),
    });
  });

  test("offers parsers of which none is a function", async () => {
    const files = { ...withKind(good), "parsers.js": "export const upper = 5;" };
    await expect(described({ ...entry, parsers: "parsers.js" }, files)).rejects.toMatchObject({
      reason: "CONNECTOR_INVALID",
      message: expect.stringContaining("parsers.js exports no function"),
    });
  });

  test("ends its worker", async () => {
    await expect(described(entry, { "connector.js": "process.exit(3)" })).rejects.toMatchObject({
      reason: "WORKER_CRASHED",
    });
    expect((await described(entry, withKind(good))).connectors).toHaveLength(1);
  });
});

test("a package whose module waits for what never comes is refused in the end", async () => {
  const path = join(folder.path, "waiting.mjs");
  await writeFile(path, "await new Promise(() => {});");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const acme = { kind: "acme", package: "acme", version: "1.2.0", module: "waiting.mjs" };
    const descriptor = { kind: "acme", summary: "", extensions: [], options: {} };
    const set = { folder: folder.path, connectors: [{ ...acme, descriptor }], parsers: [] };
    const describing = describeOffered(set).catch((error: unknown) => error);
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await describing).toMatchObject({
      reason: "CONNECTOR_INVALID",
      message: "acme@1.2.0: waiting.mjs can't be loaded: the module has not loaded within 30 s",
    });
  } finally {
    vi.useRealTimers();
  }
});
