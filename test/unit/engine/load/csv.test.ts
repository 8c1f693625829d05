import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

describe("what the first rows tell", () => {
  it("finds delimiter, header and types", async () => {
    const loaded = await lab.loadText(
      "id;price;day;at;moment;ok;name;clock\n" +
        "1;2.5;2024-02-29;2024-02-29 10:00:00;2024-02-29T10:00:00+02:00;true;x;23:59:59\n" +
        "2;-0.5;1969-12-31;1969-12-31 23:59:59.5;2024-01-01T00:00:00Z;false;y;00:00:00\n",
    );
    expect(loaded.types).toEqual({
      id: "BIGINT",
      price: "DOUBLE",
      day: "DATE",
      at: "TIMESTAMP",
      moment: "TIMESTAMP WITH TIME ZONE",
      ok: "BOOLEAN",
      name: "VARCHAR",
      clock: "TIME",
    });
    expect(loaded.values).toEqual([
      ["1", 2.5, "2024-02-29", "2024-02-29 10:00:00", "2024-02-29 08:00:00+00", true, "x", "23:59:59"],
      ["2", -0.5, "1969-12-31", "1969-12-31 23:59:59.5", "2024-01-01 00:00:00+00", false, "y", "00:00:00"],
    ]);
    expect(loaded.warnings).toEqual([]);
    expect(loaded.restarts).toBe(0);
  });

  it.each([",", ";", "\t", "|"])("finds the delimiter %j", async (delimiter) => {
    const rows = [
      ["a", "b"],
      ["1", "x"],
      ["2", "y"],
    ];
    const loaded = await lab.loadText(rows.map((row) => row.join(delimiter)).join("\n"));
    expect(loaded.values).toEqual([
      ["1", "x"],
      ["2", "y"],
    ]);
  });

  it.each(["\n", "\r\n", "\r"])("reads lines that end in %j", async (newline) => {
    const loaded = await lab.loadText(["a,b", '1,"x"', "2,y", ""].join(newline));
    expect(loaded.values).toEqual([
      ["1", "x"],
      ["2", "y"],
    ]);
  });

  it("takes a header alone for a dataset without rows", async () => {
    const loaded = await lab.loadText("a,b,c\n");
    expect(loaded).toMatchObject({
      rows: 0,
      bytes: 0,
      segments: [],
      types: { a: "VARCHAR", b: "VARCHAR", c: "VARCHAR" },
    });
  });

  it("keeps the declared types of a file without rows", async () => {
    const loaded = await lab.loadText("a,b\n", { options: { types: "a=DATE" } });
    expect(loaded.types).toEqual({ a: "DATE", b: "VARCHAR" });
  });

  it("knows rows of numbers from a header, and is told otherwise by the option", async () => {
    expect((await lab.loadText("1,2\n3,4\n")).types).toEqual({ column_1: "BIGINT", column_2: "BIGINT" });
    expect((await lab.loadText("1,2\n3,4\n", { options: { header: "true" } })).types).toEqual({
      "1": "BIGINT",
      "2": "BIGINT",
    });
    expect((await lab.loadText("a,b\nc,d\n", { options: { header: false } })).rows).toBe(2);
  });

  it("makes names unique that are empty, repeated, or differ only by case", async () => {
    const loaded = await lab.loadText("a,A,,a_2,b,a\n1,2,3,4,5,6\n");
    expect(loaded.columns.map(({ name }) => name)).toEqual(["a", "A_3", "column_3", "a_2", "b", "a_4"]);
    expect(loaded.values).toEqual([["1", "2", "3", "4", "5", "6"]]);
  });

  it("takes any text for a name", async () => {
    const loaded = await lab.loadText(`"a ""b""",'; DROP TABLE x,😀,select\n1,2,3,4\n`);
    expect(loaded.columns.map(({ name }) => name)).toEqual(['a "b"', "'; DROP TABLE x", "😀", "select"]);
    expect(loaded.values).toEqual([["1", "2", "3", "4"]]);
  });

  it("keeps quotes, delimiters and line ends inside of values", async () => {
    const loaded = await lab.loadText('n,t\n1,"a ""q"", b\nc"\n2,plain\n');
    expect(loaded.values).toEqual([
      ["1", 'a "q", b\nc'],
      ["2", "plain"],
    ]);
  });

  it("reads a quote that comes only after the sample", async () => {
    const loaded = await lab.loadText(`n,t\n${"1,x\n".repeat(100_000)}2,"a,b"\n`);
    expect(loaded.rows).toBe(100_001);
    expect(await lab.query(`SELECT t FROM '${loaded.directory}/*.parquet' WHERE n = 2`)).toEqual([["a,b"]]);
  });

  it("reads a byte order mark as none of the first name", async () => {
    expect((await lab.loadText("\uFEFFa,b\n1,2\n")).types).toEqual({ a: "BIGINT", b: "BIGINT" });
  });

  it("takes numbers with spaces around them for numbers", async () => {
    const loaded = await lab.loadText("a, b\n1, 2\n3, 4.5\n");
    expect(loaded.types).toEqual({ a: "BIGINT", b: "DOUBLE" });
  });
});

describe("options", () => {
  it("reads decimals with a comma", async () => {
    const loaded = await lab.loadText("a;b\n1,5;x\n-2,25;y\n", { options: { decimalSeparator: "," } });
    expect(loaded.types).toEqual({ a: "DOUBLE", b: "VARCHAR" });
    expect(loaded.values).toEqual([
      [-2.25, "y"],
      [1.5, "x"],
    ]);
  });

  it("takes a number in the other notation for text, not for another number", async () => {
    const loaded = await lab.loadText(`a;b\n${"1,5;x\n".repeat(60_000)}1.500;y\n`, {
      options: { decimalSeparator: "," },
    });
    expect(loaded.types.a).toBe("VARCHAR");
  });

  it("reads dates and timestamps in a given format", async () => {
    const loaded = await lab.loadText("d;t;z\n31/12/2024;31/12/2024 10:00;2024-01-01 00:00 +0200\n", {
      options: { dateFormat: "%d/%m/%Y", timestampFormat: "%d/%m/%Y %H:%M", types: "z=VARCHAR" },
    });
    expect(loaded.values).toEqual([["2024-12-31", "2024-12-31 10:00:00", "2024-01-01 00:00 +0200"]]);
    expect(loaded.types).toEqual({ d: "DATE", t: "TIMESTAMP", z: "VARCHAR" });
  });

  it("widens a column with a given format as any other", async () => {
    const loaded = await lab.loadText(`d\n${"31/12/2024\n".repeat(60_000)}2024-12-31\n`, {
      options: { dateFormat: "%d/%m/%Y" },
    });
    expect(loaded).toMatchObject({ types: { d: "VARCHAR" }, restarts: 1, rows: 60_001 });
  });

  it("reads several texts as NULL", async () => {
    const loaded = await lab.loadText("a,b\n1,NA\nNA,-\n3,x\n", { options: { nullStrings: "NA,-" } });
    expect(loaded.values).toEqual([
      ["1", null],
      ["3", "x"],
      [null, null],
    ]);
    expect(loaded.types).toEqual({ a: "BIGINT", b: "VARCHAR" });
  });

  it("keeps only the columns asked for, in their order", async () => {
    const loaded = await lab.loadText("a,b,c\n1,2,3\n", { options: { columns: "c,a" } });
    expect(loaded.columns.map(({ name }) => name)).toEqual(["c", "a"]);
    expect(loaded.values).toEqual([["3", "1"]]);
  });

  it("does not look at values of columns that are left out", async () => {
    const loaded = await lab.loadText(`a,b\n${"1,1\n".repeat(60_000)}2,x\n`, { options: { columns: ["a"] } });
    expect(loaded).toMatchObject({ restarts: 0, rows: 60_001 });
  });

  it.each(["columns", "types"])("names the nearest column where %s names one that is not there", async (option) => {
    const value = option === "columns" ? "alhpa" : "alhpa=DATE";
    const error = await lab.textFailure("alpha,b\n1,2\n", { options: { [option]: value } });
    expect(error).toMatchObject({ reason: "UNKNOWN_COLUMN", message: expect.stringContaining('did you mean "alpha"') });
  });

  it("takes another delimiter, quote, escape, comment and lines to skip", async () => {
    const text = "made by a machine\nand this too\n# comment\na::b\n'x::y'::'it\\'s'\n# more\n1::2\n";
    const loaded = await lab.loadText(text, {
      options: { delimiter: "::", quote: "'", escape: "\\", comment: "#", skipLines: "2" },
    });
    expect(loaded.columns.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(loaded.values).toEqual([
      ["1", "2"],
      ["x::y", "it's"],
    ]);
  });

  it("finds a backslash that escapes quotes", async () => {
    const loaded = await lab.loadText('a,b\n1,"say \\"hi\\", twice"\n');
    expect(loaded.values).toEqual([["1", 'say "hi", twice']]);
  });

  it("reads tab-separated values", async () => {
    const loaded = await lab.loadText("a\tb\n1,5\tx\n", { ending: "tsv" });
    expect(loaded.values).toEqual([["1,5", "x"]]);
  });
});

describe("several files", () => {
  it("reads them in the order of their names as one", async () => {
    const folder = await lab.folder();
    for (const part of ["b", "a", "c"]) await lab.file(`${folder.split("/").at(-1)}/${part}.csv`, `n,t\n1,${part}\n`);
    const scan = await lab.resolve(`${folder}/*.csv`);
    expect(scan.paths.map((path) => path.at(-5))).toEqual(["a", "b", "c"]);
    expect((await lab.load(`${folder}/*.csv`)).values).toEqual([
      ["1", "a"],
      ["1", "b"],
      ["1", "c"],
    ]);
  });

  it("refuses files whose columns differ, and names the file", async () => {
    const folder = await lab.folder();
    const name = folder.split("/").at(-1);
    await lab.file(`${name}/1.csv`, "a,b\n1,2\n");
    const other = await lab.file(`${name}/2.csv`, "a,c\n1,2\n");
    const error = await lab.failure(`${folder}/*.csv`);
    expect(error).toMatchObject({ reason: "SCHEMA_MISMATCH", metadata: { file: other, column: "2" } });
    await lab.file(`${name}/2.csv`, "a\n1\n");
    expect(await lab.failure(`${folder}/*.csv`)).toMatchObject({
      reason: "SCHEMA_MISMATCH",
      metadata: { file: other },
    });
  });

  it.each([
    ["\n", "\r\n", "fail"],
    ["\n", "\r\n", "skip"],
    ["\r\n", "\n", "fail"],
    ["\r", "\r\n", "fail"],
  ])("refuses files whose lines end differently: %j, %j, badRows=%s", async (first, second, badRows) => {
    const folder = await lab.folder();
    const name = folder.split("/").at(-1);
    const text = (end: string) => ["a,b", "1,x", "2,y", ""].join(end);
    await lab.file(`${name}/1.csv`, text(first));
    const other = await lab.file(`${name}/2.csv`, `a,b${second}`);
    expect(await lab.load(`${folder}/*.csv`, { options: { badRows } })).toMatchObject({ rows: 2 });
    await lab.file(`${name}/2.csv`, text(second));
    const error = await lab.failure(`${folder}/*.csv`, { options: { badRows } });
    expect(error).toMatchObject({ reason: "MALFORMED_CSV", metadata: { file: other } });
    expect(error.message).toContain(`its lines end in ${JSON.stringify(second)}`);
  });

  it("leaves out an empty file and says so", async () => {
    const folder = await lab.folder();
    const name = folder.split("/").at(-1);
    await lab.file(`${name}/1.csv`, "");
    await lab.file(`${name}/2.csv`, "a\n1\n");
    const loaded = await lab.load(`${folder}/*.csv`);
    expect(loaded.rows).toBe(1);
    expect(loaded.warnings).toEqual([expect.stringContaining("1.csv is empty")]);
  });

  it("widens a type that another file contradicts", async () => {
    const folder = await lab.folder();
    const name = folder.split("/").at(-1);
    await lab.file(`${name}/1.csv`, "a\n1\n");
    await lab.file(`${name}/2.csv`, "a\n007\n");
    expect(await lab.load(`${folder}/*.csv`)).toMatchObject({
      types: { a: "VARCHAR" },
      values: [["007"], ["1"]],
      restarts: 1,
    });
  });
});
