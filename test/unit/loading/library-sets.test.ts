import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import type { LibrarySet } from "../../../src/library-sets/model.ts";
import type { Source } from "../../../src/sources/connector.ts";
import { holdFile } from "../../helpers/held-file.ts";
import { openSetBench, type SetBench } from "../../helpers/set-bench.ts";

const kind = (name: string, options: Source["options"] = {}): Source => ({ kind: name, uri: "", options });

describe("a package's connector", () => {
  let bench: SetBench;
  let set: LibrarySet;

  beforeAll(async () => {
    bench = await openSetBench({ workerBytes: 400e6, engineBytes: 100e6 });
    set = await unruly(bench);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const unruly = (of: SetBench) => of.makeSet("unruly", { fixtures: ["unruly"] });

  /** While another load of the same set runs, which must not notice. */
  async function failureOf(name: string, at = bench) {
    const [failed, steady] = await Promise.allSettled([
      at.load(kind(name), set),
      at.load(kind("steady", { rows: "50000" }), set),
    ]);
    expect(steady).toMatchObject({ status: "fulfilled", value: { rows: 50_000 } });
    return failed.status === "rejected" ? failed.reason : undefined;
  }

  test("reads rows, and the load knows its version", async () => {
    expect(await bench.load(kind("steady", { rows: "2500" }), set)).toMatchObject({
      rows: 2500,
      ranWith: {
        set: { name: "unruly", hash: set.hash },
        packages: [{ name: "unruly-connector", version: "1.0.0" }],
      },
    });
  });

  test("that throws what nobody expects fails its load in its name", async () => {
    expect(await failureOf("throws")).toMatchObject({
      reason: "CONNECTOR_FAILED",
      message: "unruly-connector@1.0.0: nobody has thought of this",
    });
  });

  test.each([
    ["throws where nobody waits for it", "throws-later", "WORKER_CRASHED", /nobody waits for this/],
    ["rejects what nobody waits for", "rejects", "WORKER_CRASHED", /UnhandledPromiseRejection/],
    ["aborts its process", "aborts", "WORKER_CRASHED", /SIGABRT/],
    ["gives ragged text", "ragged", "RAGGED_ROWS", /^the rows of the source, line 1: more than the 1 values/],
    ["ends its process", "exits", "WORKER_CRASHED", /exit code 0/],
    ["keeps all that it ever had in memory", "leaks", "WORKER_OUT_OF_MEMORY", /memory/],
    ["asks for more memory than there is", "hoards", "WORKER_OUT_OF_MEMORY", /memory/],
    ["writes nonsense into the channel to the driver", "meddles", "WORKER_CRASHED", /does not understand/],
  ])("that %s costs nobody but its own load", async (_, name, reason, message) => {
    expect(await failureOf(name)).toMatchObject({ reason, message: expect.stringMatching(message) });
  });

  test("that never gives its event loop back costs nobody but its own load", async () => {
    await using strict = await openSetBench({ hangTimeoutMs: 5_000 });
    await unruly(strict);
    expect(await failureOf("blocks", strict)).toMatchObject({ reason: "WORKER_HUNG" });
  });

  test("that does not heed its signal is ended, and only its load with it", async () => {
    await using strict = await openSetBench({ stopTimeoutMs: 100 });
    await unruly(strict);
    const { promise: reading, resolve } = Promise.withResolvers<void>();
    const stop = new AbortController();
    const load = strict.load(kind("waits"), set, {
      signal: stop.signal,
      onPhase: (phase) => phase === "waits" && resolve(),
    });
    const failed = load.catch((error: unknown) => error);
    await Promise.race([reading, failed]);
    stop.abort(new DriverError("CANCELLED", "enough"));
    expect(await failed).toMatchObject({ reason: "CANCELLED" });
    expect(await strict.load(kind("steady"), set)).toMatchObject({ rows: 10 });
  });

  test("that prints disturbs nothing", async () => {
    expect(await failureOf("prints")).toBeUndefined();
  });

  test("whose module fails, or exports something else, is refused with a reason", async () => {
    expect(await failureOf("breaks")).toMatchObject({
      reason: "CONNECTOR_FAILED",
      message: "unruly-connector@1.0.0: this module can't begin",
    });
    expect(await failureOf("no-connector")).toMatchObject({
      reason: "CONNECTOR_INVALID",
      metadata: { package: "unruly-connector", version: "1.0.0", kind: "no-connector" },
    });
  });
});

describe("a client library that a kind of the driver can't use", () => {
  let bench: SetBench;
  const server = { name: "sales", uri: "postgresql://ann@127.0.0.1:1/x", options: {} };

  beforeAll(async () => {
    bench = await openSetBench();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test.each([
    ["fails when it is loaded", 'throw new Error("no such luck");', "no such luck"],
    ["needs what is not there", 'require("pg-native");', "Cannot find module 'pg-native'"],
    [
      "lacks what is asked of it",
      `exports.Client = class {
        connection = { stream: { destroy() {} } };
        on() {}
        connect() { return this.socket.open(); }
      };`,
      "Cannot read properties of undefined (reading 'open')",
    ],
  ])("is told by its name and version where it %s", async (name, code, message) => {
    const set = await bench.makeSet(name.replaceAll(" ", "-"), { packages: { "pg@6.0.0": { "index.js": code } } });
    const source = { ...kind("postgres", { table: "t" }), server };
    expect(await bench.test(source, set).catch((error: unknown) => error)).toMatchObject({
      reason: "CONNECTOR_FAILED",
      message: expect.stringContaining(`pg@6.0.0: ${message}`),
      metadata: { package: "pg", version: "6.0.0", kind: "postgres" },
    });
  });
});

describe("a package that looks around", () => {
  let bench: SetBench;
  let found: Record<string, unknown>;
  let lent: string;

  beforeAll(async () => {
    process.env.DROVER_SECRET_TEST = "hunter2";
    bench = await openSetBench();
    const { dataDirectory, path } = bench;
    const secretFile = join(path, "secret.txt");
    await writeFile(join(dataDirectory, "token"), "hunter2");
    await writeFile(secretFile, "hunter2");
    new DatabaseSync(join(dataDirectory, "catalog.sqlite")).exec("CREATE TABLE secrets (text)");
    const other = await bench.makeSet("other", { packages: { "neighbour@1.0.0": { "index.js": "exports.a = 1" } } });
    const set = await bench.makeSet("curious", { fixtures: ["curious"] });
    const asked = new URLSearchParams({ dataDirectory, secretFile, otherSet: bench.folderOf(other) });
    lent = join(path, "lent.txt");
    await writeFile(lent, "what the source holds", { mode: 0o600 });
    await utimes(lent, 1_000_000, 1_000_000);
    const source = { ...kind("looks"), uri: `file://${lent}?${asked}` };
    found = JSON.parse((await bench.test(source, set)).description);
  });
  afterAll(async () => {
    delete process.env.DROVER_SECRET_TEST;
    await bench[Symbol.asyncDispose]();
  });

  test("finds nothing of the driver, of other sets and of the machine", () => {
    const { environment, own, interface: version, debugDriver, channel, arguments: given, ...rest } = found;
    expect(rest).toEqual({ lent: "what the source holds" });
    expect({ own, version, debugDriver, channel, given }).toEqual({
      ...{ own: "own", version: 1, debugDriver: "undefined", channel: "undefined", given: [] },
    });
    const known = ["HOME", "LANG", "LC_ALL", "NODE_COMPILE_CACHE", "PATH", "TMPDIR"];
    expect((environment as string[]).filter((name) => !known.includes(name))).toEqual([]);
  });

  test("may read the file that it is lent, and neither change nor keep it, nor put another in its place", async () => {
    expect(await readFile(lent, "utf8")).toBe("what the source holds");
    const { mode, mtimeMs } = await stat(lent);
    expect([mode & 0o777, mtimeMs]).toEqual([0o600, 1_000_000_000]);
  });

  test("leaves nothing behind", async () => {
    const { dataDirectory } = bench;
    expect((await readdir(dataDirectory)).sort()).toEqual([
      "catalog.sqlite",
      "library-sets",
      "staging",
      "token",
      "work",
    ]);
  });
});

describe("modules of a library set", () => {
  let bench: SetBench;

  beforeAll(async () => {
    bench = await openSetBench();
    await writeFile(join(bench.path, "outside.mjs"), "export default 1");
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const made = (name: string, files: Record<string, string>) =>
    bench.makeSet(name, { packages: { "stray@1.0.0": files }, connectors: { stray: "stray/index.mjs" } });

  test.each([
    ["a path", (path: string) => `import ${JSON.stringify(path)};`],
    [
      "require",
      (path: string) => `import { createRequire } from "node:module"; createRequire("/")(${JSON.stringify(path)});`,
    ],
    ["text", () => 'import "data:text/javascript,";'],
  ])("don't get in from elsewhere by %s", async (how, code) => {
    const set = await made(`stray-${how.replaceAll(" ", "-")}`, { "index.mjs": code(join(bench.path, "outside.mjs")) });
    expect(await bench.test(kind("stray"), set).catch((error: unknown) => error)).toMatchObject({
      reason: "CONNECTOR_FAILED",
      message: expect.stringMatching(/stray@1\.0\.0: the module .+ can't be loaded: .*library set/),
    });
  });

  test("that were altered, added or taken away since are not run", async () => {
    const files = {
      "index.mjs": 'import "./other.mjs"; export const connector = {};',
      "other.mjs": "",
      "third.mjs": "",
    };
    const altered = await made("altered", files);
    const error = (set: LibrarySet) => bench.test(kind("stray"), set).catch((thrown: unknown) => thrown);
    // All files are looked at when a set is first used; this is for what happens afterwards.
    const signal = new AbortController().signal;
    await (await bench.workers.lease("interactive", { signal, set: altered }))[Symbol.asyncDispose]();
    const other = join(bench.folderOf(altered), "node_modules/stray/other.mjs");
    await chmod(other, 0o644);
    await appendFile(other, "console.log('boo')");
    expect(await error(altered)).toMatchObject({
      reason: "LIBRARY_SET_DAMAGED",
      message: expect.stringContaining("node_modules/stray/other.mjs was altered"),
    });
    const added = await made("added", { "index.mjs": 'import "./new.mjs";' });
    await (await bench.workers.lease("interactive", { signal, set: added }))[Symbol.asyncDispose]();
    await writeFile(join(bench.folderOf(added), "node_modules/stray/new.mjs"), "");
    expect(await error(added)).toMatchObject({
      reason: "LIBRARY_SET_DAMAGED",
      message: expect.stringContaining("added"),
    });
    for (const load of [
      'import "./other.cjs";',
      'import m from "node:module"; m.createRequire(import.meta.url)("./other.cjs");',
    ]) {
      const shorter = await made(`shorter-${load.length}`, { "index.mjs": load, "other.cjs": "" });
      await (await bench.workers.lease("interactive", { signal, set: shorter }))[Symbol.asyncDispose]();
      await rm(join(bench.folderOf(shorter), "node_modules/stray/other.cjs"), { force: true });
      expect(await error(shorter)).toMatchObject({
        reason: "LIBRARY_SET_DAMAGED",
        message: expect.stringContaining("node_modules/stray/other.cjs is missing"),
      });
    }
  });

  test("may include the parsers that the settings name, which lie outside", async () => {
    const parsers = join(bench.path, "parsers.mjs");
    await writeFile(parsers, "export const half = (text) => (text === null ? null : Number(text) / 2);");
    await using own = await openSetBench({ parsers: { modules: [parsers], timeoutMs: 5_000 } });
    const uri = join(own.path, "rows.csv");
    await writeFile(uri, "a\n4\n6\n");
    const set = await own.makeSet("any", { packages: { "any@1.0.0": {} } });
    const source = { kind: "csv", uri, options: { parsers: { a: "js:half" } } };
    expect(await own.load(source, set)).toMatchObject({ rows: 2, ranWith: { packages: [] } });
  });

  test("that open what is not their source's are told so", async () => {
    const index = `
      import { readFileSync } from "node:fs";
      export const connector = { kind: "stray", open: async () => readFileSync("/etc/hostname") };`;
    const set = await made("opens", { "index.mjs": index });
    expect(await bench.test(kind("stray"), set).catch((error: unknown) => error)).toMatchObject({
      reason: "CONNECTOR_FAILED",
      message:
        "stray@1.0.0: FileSystemRead of /etc/hostname is not for packages; context.files() gives the files of the source",
    });
  });

  test("of kinds of servers may read the certificates that their connection names, and nobody else's", async () => {
    const index = `
      import { readFileSync } from "node:fs";
      const test = ({ tlsCaFile, tlsKeyFile, other }) => async () => ({ description: [tlsCaFile, tlsKeyFile].map((path) => readFileSync(path, "utf8")).join() + (other && readFileSync(other)) });
      export const connector = { kind: "stray", open: async ({ server }) => ({ test: test(server.options), async [Symbol.asyncDispose]() {} }) };`;
    const set = await made("certified", { "index.mjs": index });
    const [tlsCaFile, tlsKeyFile] = [join(bench.path, "ca.pem"), join(bench.path, "key.pem")];
    for (const path of [tlsCaFile, tlsKeyFile]) await writeFile(path, basename(path), { mode: 0o600 });
    const reading = (options: Record<string, string>) => {
      const server = { name: "s", uri: "stray://localhost", options: { tlsCaFile, tlsKeyFile, other: "", ...options } };
      return bench.test({ ...kind("stray"), server }, set).catch((error: unknown) => error);
    };
    expect(await reading({})).toMatchObject({ description: "ca.pem,key.pem" });
    expect(await reading({ other: tlsCaFile })).toMatchObject({ reason: "CONNECTOR_FAILED" });
    await chmod(tlsKeyFile, 0o644);
    expect(await reading({})).toMatchObject({ reason: "TLS_INVALID", metadata: { file: tlsKeyFile } });
  });

  test("that fail at what they do, and then at their end, are told by the first", async () => {
    const index = `
      const fail = (message) => { throw new Error(message); };
      const session = { test: async () => fail("first"), [Symbol.asyncDispose]: async () => fail("then") };
      export const connector = { kind: "stray", open: async () => session };`;
    const set = await made("fails-twice", { "index.mjs": index });
    expect(await bench.test(kind("stray"), set).catch((error: unknown) => error)).toMatchObject({
      reason: "CONNECTOR_FAILED",
      message: "stray@1.0.0: first",
    });
  });

  test("may do without what is not there, as packages that have a choice do", async () => {
    const index = `
      import { createRequire } from "node:module";
      const require = createRequire(import.meta.url);
      let native = "native";
      try { native = require("not-installed"); } catch (error) { native = error.code; }
      let later = await import("not-installed").catch((error) => error.code);
      export const connector = { kind: "stray", open: async () => ({ test: async () => ({ description: native + " " + later }), async [Symbol.asyncDispose]() {} }) };`;
    const set = await made("choice", { "index.mjs": index });
    expect(await bench.test(kind("stray"), set)).toMatchObject({
      description: "MODULE_NOT_FOUND ERR_MODULE_NOT_FOUND",
    });
  });
});

describe("files of a source", () => {
  let bench: SetBench;
  let set: LibrarySet;
  let roots: readonly string[] | undefined;
  let reserved: readonly string[] = [];
  const lines = (uri: string, more: Partial<Source> = {}): Source => ({ kind: "lines", uri, options: {}, ...more });
  const failure = (source: Source) => bench.load(source, set).catch((error: unknown) => error);

  beforeAll(async () => {
    bench = await openSetBench({
      fileRoots: () => roots,
      reserved: () => reserved,
      http: () => ({ allowed: undefined, maxBytes: 1e6 }),
    });
    set = await bench.makeSet("old-style", { fixtures: ["old-style"] });
    await mkdir(join(bench.path, "in"));
    for (const name of ["one", "two"]) await writeFile(join(bench.path, "in", `${name}.lines`), `${name}\na\n`);
    await writeFile(join(bench.path, "rows.csv"), "a,b\n1,2\n3,4\n");
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test("are found by the driver, wherever they are, and read by a worker that could not open them otherwise", async () => {
    expect(await bench.load(lines(join(bench.path, "in", "*.lines")), set)).toMatchObject({
      rows: 4,
      ranWith: { packages: [{ name: "old-style-connector", version: "0.9.0" }] },
    });
    expect(await bench.test(lines(`file://${bench.path}/in/one.lines`), set)).toEqual({
      description: join(bench.path, "in", "one.lines"),
      warnings: [],
    });
  });

  test("may have asterisks in their names and folders, which code of the driver's side may not", async () => {
    const folder = join(bench.path, "in*side");
    await mkdir(folder);
    await writeFile(join(folder, "all*.lines"), "a\nb\n");
    expect(await bench.load(lines(join(folder, "all*.lines")), set)).toMatchObject({ rows: 2 });
    const parsers = { modules: [join(folder, "parsers.mjs")], timeoutMs: 5_000 };
    await using strange = await openSetBench({ parsers });
    const other = await strange.makeSet("old-style", { fixtures: ["old-style"] });
    expect(await strange.test(lines("/x"), other).catch((error: unknown) => error)).toMatchObject({
      reason: "LIBRARY_SET_UNCONFINED",
      metadata: { path: join(folder, "parsers.mjs") },
    });
  });

  test("are those of the built-in kinds, too", async () => {
    expect(await bench.load({ kind: "csv", uri: join(bench.path, "rows.csv"), options: {} }, set)).toMatchObject({
      rows: 2,
    });
  });

  test("are shown before they are loaded", async () => {
    const { signal } = new AbortController();
    await using worker = await bench.workers.lease("interactive", { signal, set });
    for (const [source, rows] of [
      [{ kind: "csv", uri: join(bench.path, "rows.csv"), options: {} }, [["1", "2"]]],
      [lines(join(bench.path, "in", "two.lines")), [["two"]]],
    ] as const) {
      const preview = await worker.call("previewSource", { source, rows: 1 }, { signal });
      expect(preview).toMatchObject({ rows, complete: false });
    }
  });

  test("may be the driver's own where the driver says so, under another name", async () => {
    reserved = [join(bench.path, "in")];
    const uri = join(bench.path, "in", "two.lines");
    expect(await failure(lines(uri))).toMatchObject({ reason: "PATH_NOT_ALLOWED", metadata: { path: uri } });
    const upload = lines(uri, { roots: [join(bench.path, "in")], shownAs: "my.lines" });
    expect(await bench.test(upload, set)).toMatchObject({ description: "my.lines" });
    expect(await bench.load(upload, set)).toMatchObject({ rows: 2 });
    reserved = [];
  });

  test("are refused outside of the folders that sources may name, and when they are not there", async () => {
    expect(await failure(lines(join(bench.path, "in", "none.lines")))).toMatchObject({ reason: "SOURCE_NOT_FOUND" });
    roots = [join(bench.path, "elsewhere")];
    expect(await failure(lines(join(bench.path, "in", "one.lines")))).toMatchObject({ reason: "PATH_NOT_ALLOWED" });
    roots = undefined;
  });

  test("are fetched by the worker from http, and a connector's own errors reach the user as they are", async () => {
    await using served = await holdFile("far.lines", "far\nbad\n");
    served.letGo();
    expect(await failure(lines(served.uri))).toMatchObject({
      reason: "MALFORMED_SOURCE",
      message: "a line says that it is bad",
      metadata: { line: "bad" },
    });
  });

  test("are gone from the worker's folder with the lease", async () => {
    await bench.load(lines(join(bench.path, "in", "one.lines")), set);
    const work = join(bench.dataDirectory, "work");
    expect((await readdir(work, { recursive: true })).filter((name) => name.includes("files-"))).toEqual([]);
  });
});
