import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Drover } from "../../clients/node/src/index.ts";
import { runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

let driver: TestDriver;
let client: Drover;
let folder: string;

const files: Readonly<Record<string, string | Uint8Array>> = {
  "good.csv": "n,name\n1,Ada\n2,Grace\n",
  "empty.csv": "",
  "empty.json": "",
  "binary.csv": Uint8Array.from({ length: 4096 }, (_, index) => (index * 7) % 256),
  "ragged.csv": "a,b,c\n1,2,3\n4,5\n6,7,8\n",
  "unterminated.csv": 'a,b\n1,"x\n2,y\n3,z\n',
  "typed.csv": "a,b\n1,2\nx,3\n",
  "latin.csv": Buffer.from("a,b\n1,ok\n2,gr\u00fc\n", "latin1"),
  "broken.json": '[{"a":1},{"a":2]',
  "broken.ndjson": '{"a":1}\n{"a":\n',
  "broken.parquet": "PAR1 and nothing of use PAR1",
  "broken.csv.gz": "no gzip",
  "truncated.csv.gz": gzipSync(Buffer.from("a,b\n1,2\n".repeat(5000))).subarray(0, 60),
  "no-ending": "a,b\n1,2\n",
  "two-lines": "one\ntwo\n",
};

const run = (...args: string[]) => runCli(args, { env: { DROVER_DATA_DIR: driver.dataDir }, cwd: folder });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-bad-input-"));
  await mkdir(join(folder, "folder"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  driver = await startDriver();
  client = await connect(driver);
  const { code, stderr } = await run("load", "people", "good.csv");
  expect([code, stderr]).toEqual([0, ""]);
});

afterAll(async () => {
  await client?.close();
  await driver?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Everything below folders that hold something only while a load runs. */
async function leftBehind(): Promise<readonly string[]> {
  const left: string[] = [];
  for (const name of ["staging", "work", "trash"]) {
    const entries = await readdir(join(driver.dataDir, name), { recursive: true, withFileTypes: true });
    for (const entry of entries) if (entry.isFile()) left.push(join(entry.parentPath, entry.name));
  }
  return left;
}

interface Complaint {
  readonly code: number;
  readonly reason: string;
  /** What the first line says of the place and the values. */
  readonly says: RegExp;
  /** What the next line says to do. */
  readonly help?: RegExp;
}

async function expectComplaint(args: readonly string[], { code, reason, says, help = /\w/ }: Complaint) {
  const result = await run(...args);
  expect(result.stdout).toBe("");
  const [first = "", ...rest] = result.stderr.trimEnd().split("\n");
  expect(first.split(": ").slice(0, 2)).toEqual(["drover", reason]);
  expect(first).toMatch(says);
  expect(rest.join("\n")).toMatch(help);
  expect(result.stderr).not.toMatch(/\n\s+at /);
  expect(result.code).toBe(code);
}

describe("a load of bad input says what, where and what to do, and changes nothing", () => {
  const cases: readonly (readonly [what: string, args: readonly string[], complaint: Omit<Complaint, "code">])[] = [
    ["no such file", ["none.csv"], { reason: "SOURCE_NOT_FOUND", says: /\/none\.csv$/, help: /driver's machine/ }],
    ["a glob without matches", ["none-*.csv"], { reason: "SOURCE_NOT_FOUND", says: /none-\*\.csv" matches no file/ }],
    ["a folder", ["folder", "-f", "csv"], { reason: "SOURCE_IS_FOLDER", says: /\/folder is a folder$/, help: /glob/ }],
    [
      "an ending that tells no format",
      ["no-ending"],
      { reason: "UNKNOWN_FORMAT", says: /no-ending/, help: /sources\.md/ },
    ],
    ["an unknown format", ["good.csv", "-f", "orc"], { reason: "UNKNOWN_FORMAT", says: /"orc"/, help: /sources\.md/ }],
    ["another machine's file", ["ftp://h/x.csv"], { reason: "INVALID_SOURCE", says: /ftp:\/\/h\/x\.csv/ }],
    ["a device", ["/dev/zero", "-f", "csv"], { reason: "SOURCE_UNREADABLE", says: /\/dev\/zero/ }],
    ["an empty file", ["empty.csv"], { reason: "EMPTY_SOURCE", says: /\/empty\.csv is empty$/, help: /header/ }],
    ["an empty JSON file", ["empty.json"], { reason: "EMPTY_SOURCE", says: /\/empty\.json/ }],
    ["a binary file", ["binary.csv"], { reason: "SOURCE_BINARY", says: /\/binary\.csv.*byte 0/, help: /format/ }],
    [
      "text that is not UTF-8",
      ["latin.csv"],
      { reason: "SOURCE_ENCODING", says: /latin\.csv, line 3/, help: /encoding/ },
    ],
    ["ragged rows", ["ragged.csv"], { reason: "RAGGED_ROWS", says: /ragged\.csv, line 3/, help: /badRows=skip/ }],
    [
      "an unterminated quote",
      ["unterminated.csv"],
      { reason: "UNTERMINATED_QUOTE", says: /unterminated\.csv, line 2/, help: /quote/ },
    ],
    [
      "a type that does not fit",
      ["typed.csv", "-o", "types.a=BIGINT"],
      { reason: "LOAD_TYPE_MISMATCH", says: /typed\.csv, line 3, column "a": "x" is no BIGINT$/, help: /wider type/ },
    ],
    ["broken JSON", ["broken.json"], { reason: "MALFORMED_JSON", says: /broken\.json, line 1, column 16/ }],
    ["a broken line of JSON", ["broken.ndjson"], { reason: "MALFORMED_JSON", says: /broken\.ndjson, line 2/ }],
    ["broken Parquet", ["broken.parquet"], { reason: "MALFORMED_PARQUET", says: /\/broken\.parquet/ }],
    ["what is no gzip", ["broken.csv.gz"], { reason: "SOURCE_TRUNCATED", says: /\/broken\.csv\.gz/ }],
    ["a gzip that ends early", ["truncated.csv.gz"], { reason: "SOURCE_TRUNCATED", says: /\/truncated\.csv\.gz/ }],
    [
      "an unknown option",
      ["good.csv", "-o", "badRow=skip"],
      { reason: "UNKNOWN_OPTION", says: /did you mean "badRows"/ },
    ],
    [
      "a wrong option",
      ["good.csv", "-o", "badRows=skp"],
      { reason: "INVALID_OPTION", says: /"skp".*did you mean "skip"/ },
    ],
    ["an unknown encoding", ["good.csv", "-o", "encoding=utf-99"], { reason: "INVALID_OPTION", says: /"utf-99"/ }],
    [
      "an unknown column",
      ["good.csv", "-o", "types.m=BIGINT"],
      { reason: "UNKNOWN_COLUMN", says: /"m"/, help: /case/ },
    ],
  ];

  test.each(cases)("%s", async (_what, [uri = "", ...options], complaint) => {
    await expectComplaint(["load", "people", uri, ...options], { code: 1, ...complaint });
    expect((await client.dataset("people")).version).toMatchObject({ number: 1, rows: 2 });
    expect(await client.sql("SELECT name FROM people WHERE n = 2").rows()).toEqual([{ name: "Grace" }]);
    await expect.poll(leftBehind).toEqual([]);
  });

  test("nor does it make a dataset that was not there", async () => {
    await expectComplaint(["load", "fresh", "ragged.csv"], { code: 1, reason: "RAGGED_ROWS", says: /line 3/ });
    await expectComplaint(["describe", "fresh"], { code: 1, reason: "DATASET_NOT_FOUND", says: /"fresh"/ });
    const versions = await readdir(join(driver.dataDir, "datasets"));
    expect(versions).toHaveLength(1);
  });
});

describe("a bad question says what, where and what to do", () => {
  const cases: readonly (readonly [what: string, args: readonly string[], complaint: Complaint])[] = [
    [
      "an unknown dataset",
      ["query", "nobody"],
      { code: 1, reason: "DATASET_NOT_FOUND", says: /"nobody"/, help: /drover datasets/ },
    ],
    [
      "an unknown column",
      ["query", "people", "-d", "nme"],
      { code: 1, reason: "UNKNOWN_COLUMN", says: /dimensions\[0\]\.column.*"nme"; did you mean "name"/ },
    ],
    [
      "an unknown operator",
      ["query", "people", "-w", "n >> 1"],
      { code: 2, reason: "USAGE", says: /character 4/, help: /^/ },
    ],
    [
      "an operator of SQL",
      ["query", "people", "-w", "name like A"],
      { code: 2, reason: "USAGE", says: /like/, help: /glob/ },
    ],
    [
      "an unknown measure",
      ["query", "people", "-m", "summ:n"],
      { code: 2, reason: "USAGE", says: /did you mean "sum"/, help: /^/ },
    ],
    [
      "a sum over text",
      ["query", "people", "-m", "sum:name"],
      { code: 1, reason: "INVALID_MEASURE", says: /measures\[0\].*VARCHAR/ },
    ],
    [
      "a malformed filter",
      ["query", "people", "-w", "(n > 1"],
      { code: 2, reason: "USAGE", says: /expected "\)".*character 7/, help: /^/ },
    ],
    [
      "a value of another type",
      ["query", "people", "-w", "n > abc"],
      { code: 1, reason: "INVALID_FILTER", says: /filter.*"abc"/ },
    ],
    [
      "a calculation with an unknown measure",
      ["query", "people", "--compute", "x=cout * 2"],
      { code: 1, reason: "UNKNOWN_COLUMN", says: /"cout"/ },
    ],
    [
      "a version that is not there",
      ["query", "people", "--at-version", "9"],
      { code: 1, reason: "VERSION_NOT_FOUND", says: /version 9/ },
    ],
    [
      "SQL that writes",
      ["sql", "COPY people TO '/tmp/people.csv'"],
      { code: 1, reason: "SQL_FORBIDDEN", says: /SELECT/, help: /docs\/sql\.md/ },
    ],
    [
      "SQL that inserts",
      ["sql", "INSERT INTO people VALUES (1, 'x')"],
      { code: 1, reason: "SQL_FORBIDDEN", says: /SELECT/ },
    ],
    [
      "SQL that reads a file",
      ["sql", "SELECT * FROM read_csv('/etc/passwd')"],
      { code: 1, reason: "SQL_FORBIDDEN", says: /read_csv.*line 1, column 15/ },
    ],
    [
      "SQL that names a file",
      ["sql", "SELECT * FROM '/etc/passwd'"],
      { code: 1, reason: "SQL_FORBIDDEN", says: /line 1, column 15/ },
    ],
    ["SQL that is none", ["sql", "SELEC 1"], { code: 1, reason: "SQL_INVALID", says: /line 1, column 1/ }],
    ["two statements", ["sql", "SELECT 1; SELECT 2"], { code: 1, reason: "SQL_FORBIDDEN", says: /2 statements/ }],
  ];

  test.each(cases)("%s", async (_what, args, complaint) => {
    await expectComplaint(args, complaint);
  });
});

describe("a driver that can't be had says why", () => {
  const elsewhere = () => ["--address", driver.address];

  test("without a token", async () => {
    const complaint = { code: 1, reason: "UNAUTHENTICATED", says: /no token/, help: /--token-file/ };
    await expectComplaint(["ps", ...elsewhere()], complaint);
  });

  test("with a wrong token", async () => {
    await writeFile(join(folder, "token"), "wrong\n");
    await chmod(join(folder, "token"), 0o600);
    const args = ["ps", ...elsewhere(), "--token-file", "token"];
    await expectComplaint(args, { code: 3, reason: "DRIVER_NOT_PROVEN", says: /token/, help: /--token-file/ });
  });

  test.each(["two-lines", "binary.csv", "empty.csv"])(
    "with %s in place of a token, which is not shown",
    async (name) => {
      const args = ["ps", ...elsewhere(), "--token-file", name];
      await expectComplaint(args, {
        code: 1,
        reason: "UNREADABLE_TOKEN",
        says: /holds no token$/,
        help: /--token-file/,
      });
    },
  );

  test("with a token file that is not there", async () => {
    const args = ["ps", ...elsewhere(), "--token-file", "/nonexistent"];
    await expectComplaint(args, { code: 1, reason: "UNREADABLE_TOKEN", says: /\/nonexistent/ });
  });

  test("at an address where none is", async () => {
    const says = /no driver answers at 127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1$/;
    await expectComplaint(["ps", "--address", "127.0.0.1:1"], {
      code: 3,
      reason: "UNREACHABLE",
      says,
      help: /drover start/,
    });
  });

  test("of a profile without one", async () => {
    const complaint = {
      code: 3,
      reason: "DRIVER_START_FAILED",
      says: /CONFIG_INVALID: the profile "other" has no file .*other\.toml/,
      help: /log/,
    };
    await expectComplaint(["ps", "--profile", "other"], complaint);
  });

  test.each([
    ["--address", "nonsense", /HOST:PORT/],
    ["--address", "host:99999", /HOST:PORT/],
    ["--profile", "../x", /profile/],
  ])("with %s %s", async (flag, value, says) => {
    await expectComplaint(["ps", flag, value], { code: 2, reason: "INVALID_ARGUMENT", says });
  });

  test.each(["--address", "--data-dir", "--profile"])("with an empty %s", async (flag) => {
    await expectComplaint(["ps", flag, ""], {
      code: 2,
      reason: "USAGE",
      says: new RegExp(`${flag} is empty`),
      help: /^/,
    });
  });
});
