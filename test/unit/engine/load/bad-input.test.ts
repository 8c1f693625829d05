import { execFileSync } from "node:child_process";
import { mkdir, open, symlink, truncate } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

describe("places that can't be read", () => {
  it("says that there is no such file, or none that the glob matches", async () => {
    expect(await lab.failure("/no/such/file.csv")).toMatchObject({ reason: "SOURCE_NOT_FOUND" });
    expect(await lab.failure(`${lab.path}/none-*.csv`)).toMatchObject({ reason: "SOURCE_NOT_FOUND" });
  });

  it("says that a folder is one", async () => {
    const folder = `${await lab.folder()}/data.csv`;
    await mkdir(folder);
    expect(await lab.failure(folder)).toMatchObject({ reason: "SOURCE_IS_FOLDER" });
  });

  it("says what the system refuses to read", async () => {
    const folder = await lab.folder();
    await symlink(`${folder}/loop.csv`, `${folder}/loop.csv`);
    expect(await lab.failure(`${folder}/loop.csv`)).toMatchObject({
      reason: "SOURCE_UNREADABLE",
      message: expect.stringContaining("ELOOP"),
    });
    await symlink("/proc/self/mem", `${folder}/memory.csv`);
    expect(await lab.failure(`${folder}/memory.csv`)).toMatchObject({ reason: "SOURCE_UNREADABLE" });
    execFileSync("mkfifo", [`${folder}/pipe.csv`]);
    expect(await lab.failure(`${folder}/pipe.csv`)).toMatchObject({ reason: "SOURCE_UNREADABLE" });
    await symlink(`${folder}/nowhere`, `${folder}/broken.csv`);
    expect(await lab.failure(`${folder}/broken.csv`)).toMatchObject({ reason: "SOURCE_NOT_FOUND" });
  });
});

describe("content that is no table", () => {
  it.each(["", "\n\n  \n", "\uFEFF"])("calls %j empty", async (text) => {
    expect(await lab.textFailure(text)).toMatchObject({ reason: "EMPTY_SOURCE" });
  });

  it("calls zero bytes binary", async () => {
    expect(await lab.textFailure(Buffer.from([0x89, 0x50, 0, 1, 2]))).toMatchObject({ reason: "SOURCE_BINARY" });
  });

  it.each([
    ["too many values", 'a,b\n"1\n\n",2\n\n1,2,3\n', "RAGGED_ROWS", "6"],
    ["too few values", "a,b,c\n1,2,3\n1,2\n", "RAGGED_ROWS", "3"],
    ["too few values at the end", "a,b\n1,2\n3", "RAGGED_ROWS", "3"],
    ["a quote that does not end", 'a,b\n1,"2\n3,4\n', "UNTERMINATED_QUOTE", "2"],
    ["text after a quote", 'a,b\n\n1,"2"x\n3,4\n', "UNTERMINATED_QUOTE", "3"],
  ])("names the line of %s", async (_, text, reason, line) => {
    const error = await lab.textFailure(text);
    expect(error).toMatchObject({ reason, metadata: { line } });
    expect(error.message).toContain(`line ${line}`);
  });

  it("names the line of a bad row far below", async () => {
    const error = await lab.textFailure(`a,b\n${"1,2\n".repeat(200_000)}1,2,3\n${"1,2\n".repeat(1_000)}`);
    expect(error).toMatchObject({ reason: "RAGGED_ROWS", metadata: { line: "200002" } });
  });

  it.each([
    ["a,b\n1,2\r\n3,4\n", "2"],
    ["a,b\r\n1,2\r\n3,4\n5,6\r\n", "3"],
  ])("names the line that ends in another way than the others: %j", async (text, line) => {
    expect(await lab.textFailure(text)).toMatchObject({ reason: "MALFORMED_CSV", metadata: { line } });
  });
});

describe("a row that is longer than the engine's buffers", () => {
  const long = "y".repeat(20_000_000);

  it.each([
    ["the last one", `1,${long}\n`],
    ["without an end", `1,${long}`],
    ["between others", `1,${long}\n2,x\n`],
  ])("is told, and not lost: %s", async (_, rows) => {
    expect(await lab.textFailure(`a,b\n1,2\n${rows}`)).toMatchObject({ reason: "ROW_TOO_LONG" });
  });

  it.each([
    ["the last one of a gzip file", "csv.gz", `1,${long}\n`, "fail"],
    ["the last one of a zstd file", "csv.zst", `1,${long}`, "fail"],
    ["the last one of a gzip file with line ends of old", "csv.gz", `1,${long}\r`, "fail", "\r"],
    ["between others of a gzip file, where bad rows are skipped", "csv.gz", `1,${long}\n2,x\n`, "skip"],
    ["between others, where bad rows are skipped", "csv", `1,${long}\n2,x\n`, "skip"],
    ["between many others, where bad rows are skipped", "csv", `1,${long}\n${"2,x\n".repeat(3_000_000)}`, "skip"],
    [
      "one that the engine still reads, where bad rows are skipped",
      "csv",
      `1,"${"y\n".repeat(5_000_000)}"\n2,x\n`,
      "skip",
    ],
  ])("is told, and not lost: %s", async (_, ending, rows, badRows, lineEnd = "\n") => {
    const text = ["a,b", "1,2", rows].join(lineEnd);
    const bytes = { csv: text, "csv.gz": () => gzipSync(text, { level: 1 }), "csv.zst": () => zstdCompressSync(text) };
    const content = bytes[ending as keyof typeof bytes];
    const asked = { ending, options: { badRows } };
    const error = await lab.textFailure(typeof content === "string" ? content : content(), asked);
    expect(error).toMatchObject({ reason: "ROW_TOO_LONG" });
    expect(error.metadata.file).toContain(`.${ending}`);
  });

  it("is none of many", async () => {
    const loaded = await lab.loadText(`a,b\r\n${`1,${"y".repeat(7_000_000)}\r\n`.repeat(3)}`);
    expect(loaded.values).toHaveLength(3);
    const text = `a,b\n${`1,${"y".repeat(7_000_000)}\n`.repeat(3)}`;
    expect((await lab.loadText(gzipSync(text, { level: 1 }), { ending: "csv.gz" })).values).toHaveLength(3);
  });
});

describe("text in another encoding", () => {
  it("is an error with the line, early and late", async () => {
    const early = await lab.textFailure(Buffer.from("a,b\n1,caf\xe9\n", "latin1"));
    expect(early).toMatchObject({ reason: "SOURCE_ENCODING", metadata: { line: "2" } });
    const late = await lab.textFailure(Buffer.from(`a,b\n${"1,x\n".repeat(100_000)}1,caf\xe9\n`, "latin1"));
    expect(late).toMatchObject({ reason: "SOURCE_ENCODING", metadata: { line: "100002" } });
  });

  it("is read with the option", async () => {
    const loaded = await lab.loadText(Buffer.from([0x61, 0x0a, 0x80, 0x0a]), { options: { encoding: "windows-1252" } });
    expect(loaded.values).toEqual([["€"]]);
  });
});

describe("compressed files", () => {
  const text = `a,b\n${Array.from({ length: 100_000 }, (_, row) => `${row},value ${row % 977}`).join("\n")}\n`;
  const compressed = { gz: gzipSync(text), zst: zstdCompressSync(text) };

  it.each(["gz", "zst"] as const)("reads .%s", async (ending) => {
    const loaded = await lab.loadText(compressed[ending], { ending: `csv.${ending}` });
    expect(loaded).toMatchObject({ rows: 100_000, sourceBytes: compressed[ending].length });
  });

  it.each(["gz", "zst"] as const)("refuses a truncated .%s instead of reading less", async (ending) => {
    const bytes = compressed[ending];
    for (const length of [bytes.length - 1, bytes.length - 6, Math.floor(bytes.length * 0.9), bytes.length >> 1, 20]) {
      const error = await lab.textFailure(bytes.subarray(0, length), { ending: `csv.${ending}` });
      expect(error.reason).toBe("SOURCE_TRUNCATED");
    }
  });

  it("refuses what is not compressed at all", async () => {
    expect(await lab.textFailure(text, { ending: "csv.gz" })).toMatchObject({ reason: "SOURCE_TRUNCATED" });
  });

  it("reads a gzip of several members", async () => {
    const loaded = await lab.loadText(Buffer.concat([gzipSync("a,b\n1,2\n"), gzipSync("3,4\n")]), { ending: "csv.gz" });
    expect(loaded.rows).toBe(2);
  });
});

it("leaves nothing in the folder of a load that failed", async () => {
  const path = await lab.file("late.csv", `a,b\n${"1,2\n".repeat(300_000)}1,2,3\n`);
  const directory = await lab.folder();
  const signal = new AbortController().signal;
  const { scan } = await lab.engine.sniff(await lab.resolve(path), { signal });
  const limits = { maxRows: 10_000, maxBytes: 1 << 20, maxRowGroupBytes: 1 << 20 };
  await expect(lab.engine.writeSegments(scan, { signal, directory, prefix: "segment-", limits })).rejects.toThrow(
    /line 300002/,
  );
  expect(await lab.query(`SELECT count(*) FROM glob('${directory}/**')`)).toEqual([["0"]]);
  expect(lab.engine.active).toBe(0);
});

it("survives whatever DuckDB finds in a truncated Parquet file", async () => {
  const loaded = await lab.loadText(`a,b\n${"1,x\n".repeat(5_000)}`);
  const [segment] = loaded.segments;
  const source = join(loaded.directory, segment?.file ?? "");
  const copy = await lab.file("copy.parquet", await (await open(source)).readFile());
  for (const length of [0, 3, 12, (segment?.bytes ?? 0) >> 1, (segment?.bytes ?? 0) - 1].sort((a, b) => b - a)) {
    await truncate(copy, length);
    expect(["MALFORMED_PARQUET", "EMPTY_SOURCE"]).toContain((await lab.failure(copy)).reason);
  }
  expect(await lab.textFailure("no parquet at all", { ending: "parquet" })).toMatchObject({
    reason: "MALFORMED_PARQUET",
  });
});
