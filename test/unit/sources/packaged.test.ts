import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Connector,
  ConnectorError,
  type FileScan,
  type PartitionContent,
  type SourcePlan,
  type SourceSession,
} from "@drover/connector";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { LoadSession } from "../../../src/loading/worker/load-session.ts";
import type { Source, SourceContext } from "../../../src/sources/connector.ts";
import { withDriverOptions } from "../../../src/sources/packaged/driver-options.ts";
import { packagedConnector } from "../../../src/sources/packaged/packaged-connector.ts";
import { LIMITS, LoadLab } from "../../helpers/load-engine.ts";
import { labContext } from "../../helpers/source-load.ts";

const whose = { kind: "acme", package: "acme-connector", version: "1.2.0" };
const metadata = { package: "acme-connector", version: "1.2.0", kind: "acme" };
let lab: LoadLab;

beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

/** A connector whose session is this, and harmless otherwise. */
function acme(session: Partial<SourceSession>, more: Partial<Connector> = {}): Connector {
  return {
    kind: "acme",
    open: async () => ({
      test: async () => ({ description: "acme" }),
      plan: async () => ({ columns: [{ name: "n", type: "INTEGER" }], partitions: [{}] }),
      read: async () => ({ form: "batches", batches: batches({ rows: 1, columns: [[1]] }) }),
      [Symbol.asyncDispose]: async () => undefined,
      ...session,
    }),
    ...more,
  };
}

async function* batches<T>(...all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

async function open(connector: Connector, source: Partial<Source> = {}, context: Partial<SourceContext> = {}) {
  const given = { kind: "acme", uri: "", options: {}, ...source };
  return packagedConnector(connector, whose).open(given, { ...(await labContext(lab)), ...context });
}

/** Loads all that a session gives, as a worker does; `described`, with what the driver sees to. */
async function load(connector: Connector, source: Partial<Source> = {}, { described, parsers }: LoadMore = {}) {
  const [context, directory] = [await labContext(lab, { ...(parsers && { parsers }) }), await lab.folder()];
  const { signal, workDirectory } = context;
  const packaged = packagedConnector(connector, whose);
  const whole = described === undefined ? packaged : withDriverOptions(packaged, described);
  await using session = await whole.open({ kind: "acme", uri: "", options: {}, ...source }, context);
  const listener = { onProgress: () => undefined, onPhase: () => undefined, onWarning: () => undefined };
  const engine = async () => lab.engine;
  const work = new LoadSession({ session, engine, signal, directory, workDirectory, limits: LIMITS, listener });
  const { partitions } = await work.plan(1);
  const written = [];
  for (const [number, partition] of partitions.entries()) written.push(await work.read(partition, number));
  await work.requireUnchanged();
  return lab.values(directory, written[0] ?? expect.unreachable());
}

interface LoadMore {
  readonly described?: Parameters<typeof withDriverOptions>[1];
  readonly parsers?: NonNullable<SourceContext["parsers"]>;
}

const failed = (message: string) =>
  expect.objectContaining({ reason: "CONNECTOR_FAILED", message: `acme-connector@1.2.0: ${message}`, metadata });

describe("what a package's connector throws", () => {
  test("reaches the user by its reason where it is a ConnectorError, also one of another copy of the interface", async () => {
    const error = new ConnectorError("LOGIN_REFUSED", "no such user ann", { user: "ann" });
    class OtherCopy extends Error {
      override readonly name = "ConnectorError";
      readonly reason = "SOURCE_NOT_FOUND";
      readonly metadata = { table: "t" };
    }
    const thrown = async (error: Error) => open(acme({}, { open: () => Promise.reject(error) })).catch((e) => e);
    expect(await thrown(error)).toMatchObject({
      reason: "LOGIN_REFUSED",
      message: error.message,
      metadata: { user: "ann" },
    });
    expect(await thrown(new OtherCopy("gone"))).toBeInstanceOf(DriverError);
    expect(await thrown(new OtherCopy("gone"))).toMatchObject({ reason: "SOURCE_NOT_FOUND", message: "gone" });
  });

  test.each<[string, unknown, string]>([
    ["an error", new TypeError("x is not a function\nat some place"), "x is not a function"],
    ["a text", "oops", "oops"],
    ["nothing", undefined, "undefined"],
    ["an error without words", new RangeError(), "RangeError"],
    [
      "what can't be looked at",
      new Proxy(new Error("x"), { get: () => Promise.reject.call(null) }),
      "it threw something that has no text",
    ],
    ["nothing at all", null, "null"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["what has no text", { toString: () => Promise.reject.call(null) }, "it threw something that has no text"],
    [
      "a reason that is the driver's own",
      Object.assign(new ConnectorError("LOGIN_REFUSED", "x"), { reason: "DISK_FULL" }),
      "x",
    ],
  ])("names the package otherwise: %s", async (_, thrown, message) => {
    const session = await open(acme({ test: () => Promise.reject(thrown) }));
    await expect(session.test()).rejects.toEqual(failed(message));
  });

  test("is cut where it is a book", async () => {
    const book = "a".repeat(1_000_000);
    const told = new ConnectorError("SOURCE_QUERY_FAILED", book, { query: book });
    const error = await open(acme({}, { open: () => Promise.reject(told) })).catch((e) => e);
    expect([error.message.length, error.metadata.query.length]).toEqual([2_000, 2_000]);
    await expect(open(acme({}, { open: () => Promise.reject(new Error(book)) }))).rejects.toEqual(
      failed("a".repeat(500)),
    );
    const session = await open(acme({ test: async () => ({ description: book, warnings: Array(1_000).fill(book) }) }));
    const { description, warnings = [] } = await session.test();
    expect([description.length, warnings.length, warnings[0]?.length]).toEqual([2_000, 100, 2_000]);
  });

  test("names the package whichever call it is, in the middle of a reading too, and at the end", async () => {
    const fail = () => {
      throw new Error("now");
    };
    async function* late() {
      yield { rows: 1, columns: [[1]] };
      fail();
    }
    const reading = (content: PartitionContent) => load(acme({ read: async () => content }));
    await expect(load(acme({ plan: fail }))).rejects.toEqual(failed("now"));
    await expect(reading({ form: "batches", batches: late() })).rejects.toEqual(failed("now"));
    await expect(load(acme({ requireUnchanged: fail }))).rejects.toEqual(failed("now"));
    await expect(load(acme({ [Symbol.asyncDispose]: fail }))).rejects.toEqual(failed("now"));
    const { listTables } = await open(acme({ listTables: fail }));
    await expect(listTables?.()[Symbol.asyncIterator]().next()).rejects.toEqual(failed("now"));
  });

  test("is what the call was stopped by, once it is stopped", async () => {
    const controller = new AbortController();
    const session = await open(
      acme({ test: () => Promise.reject(new Error("socket closed")) }),
      {},
      { signal: controller.signal },
    );
    const reason = new DriverError("CANCELLED", "enough");
    controller.abort(reason);
    await expect(session.test()).rejects.toBe(reason);
  });

  test("tells of a full disk by that", async () => {
    const full = Object.assign(new Error("write failed"), { code: "ENOSPC" });
    const session = await open(acme({ test: () => Promise.reject(full) }));
    await expect(session.test()).rejects.toBe(full);
  });

  test.each([
    Object.assign(new Error("Failed to allocate memory"), { code: "ERR_MEMORY_ALLOCATION_FAILED" }),
    new RangeError("Array buffer allocation failed"),
  ])("tells of memory that is not there by that: %s", async (missing) => {
    const session = await open(acme({ test: () => Promise.reject(missing) }));
    await expect(session.test()).rejects.toBe(missing);
  });
});

describe("what a package's connector answers is checked:", () => {
  const planned = (plan: unknown) => load(acme({ plan: async () => plan as SourcePlan }));
  const column = { name: "n", type: "INTEGER" };

  test.each<[string, unknown, string]>([
    ["no partitions", { columns: [column] }, "its plan's partitions are no list"],
    ["nothing in it", undefined, "its plan is no object"],
    ["no columns", { columns: [], partitions: [{}] }, "its plan has no columns"],
    ["no list of columns", { columns: "n", partitions: [{}] }, "the columns of its plan are no list"],
    ["columns that it leaves to the engine", { partitions: [{}] }, "it reads rows, and its plan names no columns"],
    [
      "code in a partition",
      { columns: [column], partitions: [{ read: () => 1 }] },
      "its plan is no plain data: () => 1 could not be cloned.",
    ],
    [
      "too much in a partition",
      { columns: [column], partitions: [{ rows: new Uint8Array(17_000_000) }] },
      "its plan takes 17 MB; it may take 16",
    ],
    [
      "an unknown encoding",
      { columns: [{ ...column, encoding: "base64" }], partitions: [{}] },
      'column "n" of its plan has no such encoding',
    ],
    [
      "an unknown origin",
      { columns: [{ ...column, origin: "made up" }], partitions: [{}] },
      'column "n" of its plan has no such origin',
    ],
    [
      "columns without end",
      { columns: [{ name: "n".repeat(17e6), type: "VARCHAR" }], partitions: [{}] },
      "the list of columns in its plan takes 34 MB; it may take 16",
    ],
    ["a column without a name", { columns: [{ type: "DATE" }], partitions: [{}] }, "a column of its plan has no name"],
    ["a name twice", { columns: [column, column], partitions: [{}] }, 'its plan has the column "n" twice'],
    [
      "a name in two cases",
      { columns: [column, { ...column, name: "N" }], partitions: [{}] },
      'its plan has the column "N" twice',
    ],
    [
      "a name that is no text",
      { columns: [{ ...column, name: "a\0" }], partitions: [{}] },
      'its plan has a column whose name is no text: "a\\u0000"',
    ],
    [
      "SQL in the place of a type",
      { columns: [{ name: "n", type: "INTEGER); DROP TABLE x" }], partitions: [{}] },
      'column "n" of its plan has the type "INTEGER); DROP TABLE x", which is none',
    ],
  ])("a plan with %s", async (_, plan, message) => {
    await expect(planned(plan)).rejects.toEqual(failed(message));
  });

  test.each<[string, unknown, string]>([
    ["no number of rows", { columns: [[1]] }, "a batch does not say its number of rows"],
    ["another number of columns", { rows: 1, columns: [[1], [2]] }, "a batch has 2 columns; its plan has 1"],
    ["another number of values", { rows: 2, columns: [[1]] }, "a column of a batch has 1 values for 2 rows"],
    ["a date", { rows: 1, columns: [[new Date(0)]] }, "a value is neither text, number, boolean nor bytes"],
  ])("a batch with %s", async (_, batch, message) => {
    const content = { form: "batches", batches: batches(batch) } as unknown as PartitionContent;
    await expect(load(acme({ read: async () => content }))).rejects.toEqual(failed(message));
  });

  test("no session, no content, and numbers that are none", async () => {
    await expect(open(acme({}, { open: async () => undefined as never }))).rejects.toEqual(
      failed("its open() gave no session"),
    );
    await expect(load(acme({ read: async () => undefined as never }))).rejects.toEqual(
      failed("Cannot read properties of undefined (reading 'form')"),
    );
    const told: unknown[] = [];
    const odd = { fraction: 7, rows: -1.5, bytes: Number.POSITIVE_INFINITY };
    const plan = { columns: [column], partitions: [{}], totalBytes: Number.NaN, estimatedRows: -1 };
    const telling = acme(
      {},
      {
        open: async (source, context) => {
          for (let row = 0; row < 1_000; row++) context.onProgress?.(odd);
          return acme({ plan: async () => plan }).open(source, context);
        },
      },
    );
    const session = await open(telling, {}, { onProgress: (progress) => told.push(progress) });
    expect(told.length).toBeLessThan(1_000);
    expect(told[0]).toEqual({ fraction: undefined, rows: 0, bytes: 0 });
    const checked = await session.plan({ maxPartitions: 1, preview: false });
    expect(checked.totalBytes).toBe(0);
    expect(checked).not.toHaveProperty("estimatedRows");
  });

  test.each<[string, object, string]>([
    ["an unknown kind", { kind: "xlsx", paths: [] }, "its scan's kind is none of csv, json, parquet"],
    ["no paths", { kind: "csv" }, "its scan's paths are no list of texts"],
    [
      "a layout that is none",
      { kind: "csv", paths: [], csv: { skipLines: "2); DROP" } },
      "its scan's csv.skipLines is not what it should be",
    ],
    [
      "a type that is none",
      { kind: "csv", paths: [], declaredTypes: { n: "DROP" } },
      'column "n" of its plan has the type "DROP", which is none',
    ],
  ])("files of %s", async (_, scan, message) => {
    const content = { form: "files", scan } as unknown as PartitionContent;
    const path = await lab.file("checked.other", "1\n");
    await expect(load(acme({ read: async () => content }), { uri: path })).rejects.toEqual(failed(message));
  });

  test("tables of a server", async () => {
    const tables = async function* () {
      yield { schema: 7, name: "t", type: "other", rows: Number.NaN, comment: "x".repeat(9_000) } as never;
    };
    const { listTables } = await open(acme({ listTables: tables }));
    const { value } = (await listTables?.()[Symbol.asyncIterator]().next()) ?? {};
    expect(value).toMatchObject({
      schema: "7",
      name: "t",
      type: "table",
      comment: expect.stringMatching(/^x{1999}…$/),
    });
    expect(value).not.toHaveProperty("rows");
  });

  test("content of an unknown form, and text that is no bytes", async () => {
    const reading = (content: unknown) => load(acme({ read: async () => content as PartitionContent }));
    await expect(reading({ form: "arrow" })).rejects.toEqual(failed('it read something of the form "arrow"'));
    await expect(reading({ form: "text", chunks: batches("1\n") })).rejects.toEqual(
      failed("a chunk of its text is no Uint8Array"),
    );
  });

  test("a value that its column can't hold", async () => {
    const batch = { rows: 1, columns: [["many"]] };
    const error = await load(acme({ read: async () => ({ form: "batches", batches: batches(batch) }) })).catch(
      (e) => e,
    );
    expect(error).toMatchObject({ reason: "LOAD_TYPE_MISMATCH" });
  });
});

describe("files that a package's connector reads", () => {
  test("are found by the worker, and only those may it hand to the engine", async () => {
    const path = await lab.file("some.acme", "a;b\n1;x\n");
    const outside = await lab.file("other.csv", "a;b\n2;y\n");
    const reading = (
      paths: (context: { workDirectory: string }, found: readonly string[]) => Promise<readonly string[]>,
    ) =>
      acme(
        {},
        {
          open: async (_, context) => {
            const found = await context.files();
            return {
              test: async () => ({ description: "" }),
              plan: async () => ({ columns: undefined, partitions: [{}] }),
              read: async () => ({
                form: "files",
                scan: {
                  kind: "csv",
                  csv: { delimiter: ";" },
                  paths: await paths(
                    context,
                    found.map(({ path }) => path),
                  ),
                },
              }),
              [Symbol.asyncDispose]: async () => undefined,
            };
          },
        },
      );
    const source = { uri: join(lab.path, "*.acme") };
    expect(
      await load(
        reading(async (_, found) => found),
        source,
      ),
    ).toEqual([["1", "x"]]);
    const made = reading(async ({ workDirectory }) => {
      const copy = join(workDirectory, "copy.csv");
      await writeFile(copy, "a;b\n3;z\n");
      return [copy];
    });
    expect(await load(made, source)).toEqual([["3", "z"]]);
    const refused = failed(`${outside} is neither a file of the source nor in the session's folder`);
    await expect(
      load(
        reading(async () => [outside]),
        source,
      ),
    ).rejects.toEqual(refused);
    const linked = reading(async ({ workDirectory }) => {
      const link = join(workDirectory, "link.csv");
      await symlink(outside, link);
      return [link];
    });
    await expect(load(linked, source)).rejects.toMatchObject({ reason: "CONNECTOR_FAILED" });
    await expect(
      load(
        reading(async (_, found) => found),
        { uri: join(lab.path, "none.acme") },
      ),
    ).rejects.toMatchObject({
      reason: "SOURCE_NOT_FOUND",
    });
    expect(path).not.toBe(outside);
  });

  test("must not change until all is read, without a word of the connector about it", async () => {
    const path = await lab.file("changing.acme", "1\n");
    const changing = acme(
      {},
      {
        open: async (_, context) => {
          await context.files();
          return acme({
            read: async () => {
              await writeFile(path, "1\n2\n");
              return { form: "batches", batches: batches({ rows: 1, columns: [[1]] }) };
            },
          }).open({ kind: "acme", uri: "", options: {} }, context);
        },
      },
    );
    await expect(load(changing, { uri: path })).rejects.toMatchObject({ reason: "SOURCE_CHANGED" });
  });

  test("lie under the folders that the driver may read", async () => {
    await mkdir(join(lab.path, "root"));
    const path = await lab.file("outside.acme", "1\n");
    const asking = acme(
      {},
      { open: async (_, context) => expect.unreachable(`it found ${(await context.files()).length}`) },
    );
    const roots = { fileRoots: [join(lab.path, "root")] };
    await expect(open(asking, { uri: path }, roots)).rejects.toMatchObject({ reason: "PATH_NOT_ALLOWED" });
  });
});

describe("value parsers and types of a package's kind", () => {
  const described = { kind: "acme", options: {} };
  const columns = [
    { name: "n", type: "INTEGER" },
    { name: "born", type: "VARCHAR" },
  ];
  const rows = acme({
    plan: async () => ({ columns, partitions: [{}] }),
    read: async () => ({
      form: "batches",
      batches: batches({
        rows: 2,
        columns: [
          [1, 2],
          ["18151210", null],
        ],
      }),
    }),
  });
  const js = async () => ({
    modules: [await lab.file("parsers.mjs", "export const twice = (text) => text && text + text;")],
    timeoutMs: 60_000,
  });

  test("are seen to by the driver, and the connector knows nothing of them", async () => {
    const options = { "parsers.n": "value::INTEGER + 1", "types.born": "BIGINT" };
    expect(await load(rows, { options }, { described })).toEqual([
      [2, "18151210"],
      [3, null],
    ]);
    const [parsers, both] = [await js(), { "parsers.born": "js:twice" }];
    expect(await load(rows, { options: both }, { described, parsers })).toEqual([
      [1, "1815121018151210"],
      [2, null],
    ]);
  });

  test("work on text files that it gives to the engine, and not on others", async () => {
    const path = await lab.file("born.text", "n;born\n1;x\n");
    const files = (scan: Partial<FileScan>) =>
      acme({
        plan: async () => ({ columns: undefined, partitions: [{}] }),
        read: async () => ({ form: "files", scan: { kind: "csv", paths: [path], ...scan } }),
      });
    const [parsers, source] = [
      await js(),
      { uri: path, options: { "parsers.born": "js:twice", "types.n": "VARCHAR" } },
    ];
    expect(await load(files({}), source, { described, parsers })).toEqual([["1", "xx"]]);
    const sql = { uri: path, options: { "parsers.born": "upper(value)" } };
    expect(await load(files({ columns, csv: { delimiter: ";", header: true } }), sql, { described })).toEqual([
      [1, "X"],
    ]);
    await expect(load(files({ kind: "parquet" }), sql, { described })).rejects.toMatchObject({
      reason: "INVALID_OPTION",
    });
    await expect(load(files({ columns }), source, { described, parsers })).rejects.toMatchObject({
      reason: "INVALID_OPTION",
    });
  });

  test("are refused for columns that are not there, that hold no text, and that a connector filters by", async () => {
    const failing = (given: Source["options"], connector = rows, more: Partial<Source> = {}) =>
      load(connector, { options: given, ...more }, { described });
    await expect(failing({ "types.m": "DATE" })).rejects.toMatchObject({
      reason: "UNKNOWN_COLUMN",
      message: expect.stringContaining("option types: "),
    });
    const bytes = acme({
      plan: async () => ({ columns: [{ name: "n", type: "BLOB", encoding: "hex" }], partitions: [{}] }),
    });
    await expect(failing({ "types.n": "VARCHAR" }, bytes)).rejects.toMatchObject({ reason: "INVALID_OPTION" });
    const filter = { column: "n", op: "=", value: 1 } as never;
    await expect(failing({ "types.n": "VARCHAR" }, { ...rows, filters: true }, { filter })).rejects.toMatchObject({
      reason: "INVALID_FILTER",
      metadata: { column: "n" },
    });
  });

  test("are its own business where it has such options itself", async () => {
    const seen: unknown[] = [];
    const own = acme(
      {},
      {
        open: async (source, context) => {
          seen.push(source.options);
          return acme({}).open(source, context);
        },
      },
    );
    const option = { type: "string", doc: "" } as const;
    const options = { parsers: "a", "types.n": "b" };
    await load(own, { options }, { described: { kind: "acme", options: { parsers: option } } });
    await load(own, { options: { types: "b" } }, { described: { kind: "acme", options: { types: option } } });
    expect(seen).toEqual([options, { types: "b" }]);
    const map = { type: "stringMap", doc: "" } as const;
    await load(own, { options: { types: { n: "DATE" } } }, { described: { kind: "acme", options: { types: map } } });
    expect(seen[2]).toEqual({ types: { n: "DATE" } });
  });
});

test("a package's connector gets its source and options, and nothing of how the driver fetches files", async () => {
  const seen: unknown[] = [];
  const seeing = acme(
    {},
    {
      open: async (source, context) => {
        seen.push(source, Object.keys(context).sort());
        return acme({}).open(source, context);
      },
    },
  );
  await open(seeing, {
    uri: "https://example.net/x.acme",
    options: { table: "t", secret: "env:DROVER_SECRET_X", "headers.accept": "*/*" },
    authorization: "Bearer abc",
  });
  expect(seen[0]).toEqual({ kind: "acme", uri: "https://example.net/x.acme", options: { table: "t" } });
  expect(seen[1]).toEqual(["files", "onPhase", "onProgress", "signal", "statement", "workDirectory"]);
});
