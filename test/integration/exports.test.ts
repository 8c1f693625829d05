import { existsSync } from "node:fs";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  connect,
  count,
  type Drover,
  DroverError,
  dim,
  type Export,
  type ExportFormat,
  type JsonObject,
  sum,
  where,
} from "../../clients/node/src/index.ts";
import { eventsOf, runCli, startCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { bareEngine } from "../helpers/read-engine.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { typeSamples } from "../helpers/type-samples.ts";

const ROWS = 300_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let driver: TestDriver;
let drover: Drover;

beforeAll(async () => {
  folder = await temporaryFolder();
  driver = await startDriver({ dataDir: join(folder.path, "data") });
  drover = await connect(driver);
  const lines = Array.from({ length: ROWS }, (_, row) => `${row},${row % 7},some text of row ${row},${row / 8}`);
  await writeFile(join(folder.path, "numbers.csv"), `n,k,t,x\n${lines.join("\n")}\n`);
  await (await drover.load("numbers", { uri: join(folder.path, "numbers.csv") })).result();
  await makeSource("tricky", trickyRows);
});

afterAll(async () => {
  await drover?.close();
  await driver?.[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Loads the rows of a SELECT. */
async function makeSource(dataset: string, select: string): Promise<void> {
  const uri = join(folder.path, `${dataset}.source.parquet`);
  using bare = await bareEngine();
  await bare.connection.run(`COPY (${select}) TO '${uri}' (FORMAT parquet)`);
  await (await drover.load(dataset, { uri })).result();
}

/** Values that formats tend to lose, in types that every format can give back. */
const trickyRows = `
  SELECT * FROM (VALUES
    (1, 'plain', 1.50::DECIMAL(5,2), '12345678901234567890123456789012345678'::DECIMAL(38,0), 0.1::DOUBLE, true,
     DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789123', TIMESTAMPTZ '2024-02-29 12:34:56+02', 9223372036854775807),
    (2, '', -0.05, '-99999999999999999999999999999999999999', 1.7976931348623157e308, false,
     DATE '0001-01-01', TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMPTZ '1969-12-31 23:59:59.5+00', -9223372036854775808),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 'quotes " and, commas; tabs' || chr(9) || '|', 0, '0', 'nan'::DOUBLE, true,
     DATE '9999-12-31', TIMESTAMP '2024-01-01 00:00:00', TIMESTAMPTZ '2024-07-01 00:00:00+00', 0),
    (5, 'line' || chr(10) || 'ends' || chr(13) || chr(10) || 'of' || chr(13) || 'all kinds', 1, '1', 'inf'::DOUBLE, false,
     DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:01', TIMESTAMPTZ '2024-07-01 00:00:00.000001+00', 1),
    (6, '  spaces around  ', 1, '1', '-inf'::DOUBLE, false, DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:01',
     TIMESTAMPTZ '2024-07-01 00:00:00+00', 1),
    (7, 'NULL', 1, '1', 5e-324, false, DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:01', TIMESTAMPTZ '2024-07-01 00:00:00+00', 1),
    (8, 'Zürich 東京 🚄 <&>', 1, '1', -0.0, false, DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:01',
     TIMESTAMPTZ '2024-07-01 00:00:00+00', 1),
    (9, '007', 1, '1', 1e21, false, DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:01', TIMESTAMPTZ '2024-07-01 00:00:00+00', 1)
  ) AS t(id, "a text", dec, wide, x, flag, "day", "at", instant, big)`;

const types = {
  id: "INTEGER",
  "a text": "VARCHAR",
  dec: "DECIMAL(12,2)",
  wide: "DECIMAL(38,0)",
  x: "DOUBLE",
  flag: "BOOLEAN",
  day: "DATE",
  at: "TIMESTAMP",
  instant: "TIMESTAMP WITH TIME ZONE",
  big: "BIGINT",
};

async function bytesOf(exported: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const bytes of exported) parts.push(bytes);
  return Buffer.concat(parts);
}

async function textOf(exported: Export): Promise<string> {
  return (await bytesOf(exported)).toString();
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

/** What is left of exports on disk. */
async function leftOver(): Promise<string[]> {
  const found = await readdir(join(driver.dataDir, "work"), { recursive: true });
  return found.filter((path) => /exports\/./.test(path));
}

async function rowsOf(dataset: string): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const page of drover.rows(dataset).pages()) rows.push(...page.values);
  return rows.sort((one, other) => Number((one as unknown[])[0]) - Number((other as unknown[])[0]));
}

const cli = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: driver.dataDir }, cwd: folder.path });

describe("an exported dataset", { timeout: 180_000 }, () => {
  const ways: readonly [ExportFormat, string, object, JsonObject][] = [
    ["csv", "csv", {}, { quotedNulls: false, types }],
    [
      "csv",
      "csv.gz",
      { delimiter: ";", nullText: "NULL", compression: "gzip" },
      { nullStrings: ["NULL"], quotedNulls: false, types },
    ],
    ["tsv", "tsv.zst", { compression: "zstd" }, { quotedNulls: false, types }],
    ["json", "json", {}, { types }],
    ["jsonl", "jsonl.gz", { compression: "gzip" }, { types }],
    ["xml", "xml.gz", { compression: "gzip" }, { recordPath: "/rows/row", trim: false, types }],
    ["parquet", "parquet", {}, {}],
    ["parquet", "gz.parquet", { compression: "gzip" }, {}],
  ];

  test.each(ways)(
    "as %s in %s gives the same rows when it is loaded again",
    async (format, ending, options, source) => {
      const exported = drover.export("tricky", { format, ...options });
      const bytes = await bytesOf(exported);
      expect(exported.summary).toEqual({ rows: 9, bytes: bytes.length, versions: { tricky: 1 } });
      expect(exported.columns.map(({ name }) => name)).toEqual(Object.keys(types));
      const uri = join(folder.path, `again-${format}.${ending}`);
      await writeFile(uri, bytes);
      const name = `again ${format} ${ending}`;
      await (await drover.load(name, { uri, options: source })).result();
      // To a source of XML an element without text is NULL.
      const expected = (await rowsOf("tricky")).map((row) =>
        (row as unknown[]).map((value) => (format === "xml" && value === "" ? null : value)),
      );
      expect(await rowsOf(name)).toEqual(expected);
      expect((await drover.dataset(name)).columns).toEqual((await drover.dataset("tricky")).columns);
    },
  );

  test("as Arrow is what a query gives as Arrow", async () => {
    const exported = await bytesOf(drover.export("tricky", { format: "arrow" }));
    expect(exported).toEqual(await bytesOf(drover.sql('SELECT * FROM "tricky"').arrow()));
    const numbers = tableFromIPC(await bytesOf(drover.export("numbers", { format: "arrow" })));
    const ids = [...(numbers.getChild("n") ?? [])].map(Number);
    expect([numbers.numRows, ids.reduce((one, other) => one + other)]).toEqual([ROWS, (ROWS * (ROWS - 1)) / 2]);
  });

  test("as Parquet holds the values of every type, those that it has no type for as decimals or text", async () => {
    using bare = await bareEngine();
    let files = 0;
    const refused = new Set<string>();
    for (const [type, samples] of Object.entries(typeSamples)) {
      for (const [sql] of samples) {
        const bytes = await bytesOf(drover.exportSql(`SELECT ${sql} AS v`, { format: "parquet" })).catch(
          ({ reason }) => {
            refused.add(`${type} ${reason}`);
            return undefined;
          },
        );
        if (bytes === undefined) continue;
        // One for each: the engine remembers what it has read of a file.
        const file = join(folder.path, `type-${++files}.parquet`);
        await writeFile(file, bytes);
        const whole = type === "UNION(…)" ? `to_json(${sql})` : `(${sql})`;
        const same = `SELECT v::VARCHAR IS NOT DISTINCT FROM ${whole}::VARCHAR FROM read_parquet('${file}')`;
        expect([type, sql, (await bare.connection.runAndReadAll(same)).getRows()]).toEqual([type, sql, [[true]]]);
      }
    }
    // Integers of more than 38 digits have no place there; the others are what SQL over datasets may not say.
    const failed = [...refused].filter((one) => !one.endsWith("SQL_FORBIDDEN")).sort();
    expect(failed).toEqual(["HUGEINT QUERY_FAILED", "UHUGEINT QUERY_FAILED"]);
    expect(await leftOver()).toEqual([]);
  });

  test("as text writes nested values as JSON, and values as the documentation says", async () => {
    const sql = `SELECT {'a': [1, NULL], 'b': 'x"y'} AS s, MAP {'k': 1.50::DECIMAL(4,2)} AS m, 'ab'::BLOB AS b,
      INTERVAL '14 months' AS i, 170141183460469231731687303715884105727::HUGEINT AS h, [-0.0::DOUBLE, 'nan'] AS f`;
    expect(await textOf(drover.exportSql(sql, { format: "jsonl" }))).toBe(
      `{"s":{"a":[1,null],"b":"x\\"y"},"m":[{"key":"k","value":"1.50"}],"b":"YWI=","i":"P1Y2M","h":"170141183460469231731687303715884105727","f":[-0,"NaN"]}\n`,
    );
    expect(await textOf(drover.exportSql(sql, { format: "csv", header: false }))).toBe(
      `"{""a"":[1,null],""b"":""x\\""y""}","[{""key"":""k"",""value"":""1.50""}]",YWI=,P1Y2M,170141183460469231731687303715884105727,"[-0,""NaN""]"\n`,
    );
    expect(await textOf(drover.exportSql(sql, { format: "xml", xmlRoot: "all", xmlRecord: "one" }))).toContain(
      '<one><s><a>1</a><a xsi:nil="true"/><b>x"y</b></s><m><key>k</key><value>1.50</value></m><b>YWI=</b>',
    );
    // Names that are numbers stay in their order.
    expect(await textOf(drover.exportSql('SELECT 1 AS b, 2 AS "7", 3 AS "1"', { format: "json" }))).toBe(
      '[\n{"b":1,"7":2,"1":3}\n]\n',
    );
    expect(await textOf(drover.exportSql("SELECT n FROM numbers WHERE n < 0", { format: "json" }))).toBe("[]\n");
  });

  test("holds the columns and rows that are asked for, of the version that is asked for", async () => {
    const some = drover.export("numbers", {
      format: "csv",
      columns: ["t", "n"],
      where: where("k").equals(3).and(where("n").lessThan(20)),
      version: 1,
    });
    expect(await textOf(some)).toBe("t,n\nsome text of row 3,3\nsome text of row 10,10\nsome text of row 17,17\n");
    expect(
      (await textOf(drover.export("numbers", { format: "csv", limit: 5, header: false }))).split("\n"),
    ).toHaveLength(6);
    const grouped = drover.exportQuery(
      "numbers",
      { dimensions: [dim("k")], measures: [count(), sum("n")], limit: 1 },
      { format: "tsv" },
    );
    expect(await textOf(grouped)).toBe(`k\tcount\tsum_n\n0\t42858\t6428678571\n`);
  });

  test("is refused with the field at fault", async () => {
    const refused = async (options: object, field: string) => {
      const error = await failure(bytesOf(drover.export("numbers", { format: "csv", ...options })));
      expect(error).toMatchObject({ reason: "INVALID_REQUEST", violations: [{ field }] });
    };
    await refused({ format: "json", header: false }, "layout.header");
    await refused({ format: "arrow", compression: "gzip" }, "layout.compression");
    await refused({ delimiter: '"' }, "layout.delimiter");
    await refused({ nullText: 'a"' }, "layout.null_text");
    await refused({ format: "csv", xmlRoot: "a" }, "layout.xml_root");
    expect((await failure(bytesOf(drover.export("nothing", { format: "csv" })))).reason).toBe("DATASET_NOT_FOUND");
    expect((await failure(bytesOf(drover.export("numbers", { format: "csv", columns: ["y"] })))).reason).toBe(
      "UNKNOWN_COLUMN",
    );
    const unwritable = await failure(bytesOf(drover.exportSql("SELECT chr(0) AS v", { format: "xml" })));
    expect(unwritable.reason).toBe("VALUE_UNWRITABLE");
  });
});

describe("an export under way", { timeout: 180_000 }, () => {
  test("is an operation of the batch lane that shows how far it is", async () => {
    const phases = new Set<string>();
    const onProgress = ({ phase, fraction = 0 }: { phase: string; fraction?: number | undefined }) =>
      phases.add(`${phase} ${fraction > 0}`);
    const exported = drover.export("numbers", {
      format: "csv",
      operationId: "an-export",
      labels: { a: "b" },
      onProgress,
    });
    await bytesOf(exported);
    expect([...phases]).toContain("exporting true");
    expect(exported.operationId).toBe("an-export");
    expect(await drover.operation("an-export")).toMatchObject({
      kind: "export",
      state: "succeeded",
      dataset: "numbers",
      labels: { a: "b" },
      configuration: { layout: { format: "csv" } },
      outcome: { rows: ROWS },
      progress: { rows: ROWS, fraction: 1 },
    });
  });

  test.each(["csv", "parquet", "arrow"] as const)(
    "as %s stops when its reader leaves, and leaves nothing behind",
    async (format) => {
      const sql = "SELECT a.n, b.t FROM numbers a, numbers b";
      const exported =
        format === "parquet"
          ? drover.export("numbers", { format, compression: "none" })
          : drover.exportSql(sql, { format });
      for await (const _ of exported) break;
      await vi.waitFor(
        async () => expect(await drover.operation(exported.operationId)).toMatchObject({ state: "cancelled" }),
        {
          timeout: 60_000,
        },
      );
      await vi.waitFor(async () => {
        const { pools } = await drover.driver();
        expect(pools.find(({ name }) => name === "readers")).toMatchObject({ running: 0, queued: 0 });
      });
      expect(await leftOver()).toEqual([]);
    },
  );

  test("is cancelled by its id while the engine still writes its file", async () => {
    const sql = "SELECT a.n, b.t FROM numbers a, numbers b";
    const reading = failure(bytesOf(drover.exportSql(sql, { format: "parquet", operationId: "long" })));
    await vi.waitFor(async () => expect(await drover.operation("long")).toMatchObject({ state: "running" }), {
      timeout: 60_000,
    });
    await vi.waitFor(async () => expect(await leftOver()).toHaveLength(1), { timeout: 60_000 });
    expect((await drover.cancel("long")).state).toBe("cancelled");
    expect((await reading).reason).toBe("CANCELLED");
    expect(await leftOver()).toEqual([]);
  });

  test("holds no more than a slow reader takes", async () => {
    const exported = drover.exportSql("SELECT a.n, b.t FROM numbers a, numbers b", { format: "csv" });
    const iterator = exported[Symbol.asyncIterator]();
    await iterator.next();
    const bytes = async () => (await drover.operation(exported.operationId)).progress?.bytes ?? 0;
    let before = -1;
    await vi.waitFor(
      async () => {
        const now = await bytes();
        const stands = now === before;
        before = now;
        expect(stands).toBe(true);
      },
      { timeout: 60_000, interval: 500 },
    );
    // What gRPC's windows hold, and the pieces in between.
    expect(before).toBeLessThan(16 * 2 ** 20);
    await iterator.return?.();
  });
});

describe("drover export", { timeout: 180_000 }, () => {
  test.each([
    ["rows.csv", (bytes: Buffer) => bytes],
    ["rows.tsv.gz", gunzipSync],
    ["rows.jsonl.zst", zstdDecompressSync],
  ] as const)("writes %s as its ending says", async (file, open) => {
    const { code, stdout, stderr } = await cli("export", "numbers", file, "-w", "n < 2", "-c", "n", "-c", "t");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^${file}: 2 rows, \\d+ B\n$`));
    const text = open(await readFile(join(folder.path, file))).toString();
    const d = file.includes("tsv") ? "\t" : ",";
    expect(text).toBe(
      file.includes("jsonl")
        ? '{"n":"0","t":"some text of row 0"}\n{"n":"1","t":"some text of row 1"}\n'
        : `n${d}t\n0${d}some text of row 0\n1${d}some text of row 1\n`,
    );
  });

  test("writes answers, also to standard output, and says what happened as JSON", async () => {
    const query = await cli(
      "export",
      "numbers",
      "-",
      "--format",
      "csv",
      "-d",
      "k",
      "-m",
      "count",
      "--order",
      "k",
      "--limit",
      "1",
    );
    expect(query).toMatchObject({ code: 0, stdout: "k,count\n0,42858\n", stderr: "" });
    const sql = await cli(
      "export",
      "--sql",
      "SELECT max(n) AS m FROM numbers WHERE k < $1",
      "m.json",
      "-p",
      "3",
      "--json",
    );
    expect(sql.code).toBe(0);
    expect(eventsOf(sql.stdout).map(({ event }) => event)).toEqual(expect.arrayContaining(["accepted", "completed"]));
    expect(eventsOf(sql.stdout).at(-1)).toMatchObject({ event: "completed", rows: 1, file: "m.json" });
    expect(await readFile(join(folder.path, "m.json"), "utf8")).toBe('[\n{"m":"299999"}\n]\n');
  });

  test("leaves the file that is there, and no other, when it fails or is interrupted", async () => {
    const file = join(folder.path, "kept.csv");
    await writeFile(file, "kept");
    expect(await cli("export", "nothing", file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("DATASET_NOT_FOUND"),
    });
    const running = startCli(["export", "--sql", "SELECT a.n, b.t FROM numbers a, numbers b", file], {
      env: { DROVER_DATA_DIR: driver.dataDir },
    });
    const parts = async () => (await readdir(folder.path)).filter((name) => name.endsWith(".part"));
    await vi.waitFor(async () => expect(await parts()).toHaveLength(1), { timeout: 60_000 });
    running.child.kill("SIGINT");
    expect((await running.done).code).toBe(130);
    expect(await readFile(file, "utf8")).toBe("kept");
    expect(await parts()).toEqual([]);
    const left = async () => {
      const found: string[] = [];
      for await (const { id } of drover.operations({ kinds: ["export"], states: ["running", "pending"] }))
        found.push(id);
      return found;
    };
    await expect.poll(left).toEqual([]);
  });

  test("says what is wrong before it looks for a driver", async () => {
    expect(await cli("export", "numbers", "file.xyz")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--format"),
    });
    expect(await cli("export", "numbers", "-", "--format", "csv", "--json")).toMatchObject({ code: 2 });
    expect(await cli("export", "numbers", "a.csv", "-c", "n", "-m", "count")).toMatchObject({ code: 2 });
    expect(await cli("export", "numbers", ".", "--format", "csv")).toMatchObject({ code: 2 });
    expect(existsSync(join(folder.path, "a.csv"))).toBe(false);
  });

  test("says that a folder can't be written", async () => {
    if (process.getuid?.() === 0) {
      const { code, stderr } = await cli("export", "numbers", "/proc/nothing/a.csv");
      expect([code, stderr]).toEqual([2, expect.stringContaining("/proc/nothing/a.csv can't be written: ENOENT")]);
      return;
    }
    await chmod(folder.path, 0o500);
    const { code, stderr } = await cli("export", "numbers", join(folder.path, "b.csv"));
    expect([code, stderr]).toEqual([2, expect.stringContaining("b.csv can't be written: EACCES")]);
    await chmod(folder.path, 0o700);
  });
});
