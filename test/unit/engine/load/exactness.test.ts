import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

/** More rows than the sample and than one vector, so that only the pass over the file can see what follows. */
const MANY = 10_000;

/** Column `v` with `usual` in many rows and `late` in the last. */
async function loadLate(usual: string, late: string, options: Readonly<Record<string, unknown>> = {}) {
  const loaded = await lab.loadText(`k,v\n${`x,${usual}\n`.repeat(MANY)}y,${late}\n`, { options });
  const [row] = await lab.query(`SELECT v::VARCHAR FROM '${loaded.directory}/*.parquet' WHERE k = 'y'`);
  return {
    type: loaded.types.v,
    value: row?.[0],
    rows: loaded.rows,
    restarts: loaded.restarts,
    warnings: loaded.warnings,
  };
}

describe("a type that the first rows suggest and a later one contradicts", () => {
  it.each([
    ["1", "1.5", "DOUBLE", "1.5"],
    ["1", "00123", "VARCHAR", "00123"],
    ["1", "-007", "VARCHAR", "-007"],
    ["1", "9223372036854775807", "BIGINT", "9223372036854775807"],
    ["1", "-9223372036854775808", "BIGINT", "-9223372036854775808"],
    ["1", "9223372036854775808", "DECIMAL(38,0)", "9223372036854775808"],
    ["1", `-${"9".repeat(38)}`, "DECIMAL(38,0)", `-${"9".repeat(38)}`],
    ["1", "9".repeat(39), "VARCHAR", "9".repeat(39)],
    ["1", "12345678901234567890.12", "DECIMAL(38,2)", "12345678901234567890.12"],
    ["1", "1e3", "BIGINT", "1000"],
    ["1", "1_000", "VARCHAR", "1_000"],
    ["1", "0x10", "VARCHAR", "0x10"],
    ["1", " 12 ", "BIGINT", "12"],
    ["1", "+12", "BIGINT", "12"],
    ["1", "text", "VARCHAR", "text"],
    ["1.5", "123456789012345.6", "DECIMAL(18,1)", "123456789012345.6"],
    ["1.5", "0.1234567890123456", "DECIMAL(18,16)", "0.1234567890123456"],
    ["1.5", "0.12345678901234567890123456789012345678901", "VARCHAR", "0.12345678901234567890123456789012345678901"],
    ["1.5", "1234567890123456", "DECIMAL(18,1)", "1234567890123456.0"],
    ["1.5", "1.234567890123456e300", "VARCHAR", "1.234567890123456e300"],
    ["1.5", "1.5e300", "DOUBLE", "1.5e+300"],
    ["1.5", "1e400", "VARCHAR", "1e400"],
    ["1.5", "1e-400", "VARCHAR", "1e-400"],
    ["1.5", "NaN", "DOUBLE", "nan"],
    ["1.5", "-inf", "DOUBLE", "-inf"],
    ["1.5", "0.0000000000000000001", "DOUBLE", "1e-19"],
    ["1.5", "0.100000000000000000000", "DOUBLE", "0.1"],
    ["1.5", "007.5", "VARCHAR", "007.5"],
    ["1.5", "-00.5", "VARCHAR", "-00.5"],
    ["2024-01-01", "2024-01-01 10:00:00", "TIMESTAMP", "2024-01-01 10:00:00"],
    ["2024-01-01", "2024-02-30", "VARCHAR", "2024-02-30"],
    ["2024-01-01", "2024-1-2", "VARCHAR", "2024-1-2"],
    ["2024-01-01", "infinity", "VARCHAR", "infinity"],
    ["2024-01-01 10:00:00", "2024-01-01", "TIMESTAMP", "2024-01-01 00:00:00"],
    ["2024-01-01 10:00:00", "2024-01-01 10:00:00.123456", "TIMESTAMP", "2024-01-01 10:00:00.123456"],
    ["2024-01-01 10:00:00", "2024-01-01 10:00:00.123456789", "TIMESTAMP_NS", "2024-01-01 10:00:00.123456789"],
    ["2024-01-01 10:00:00", "2024-01-01 10:00:00.1234567891", "VARCHAR", "2024-01-01 10:00:00.1234567891"],
    ["2024-01-01 10:00:00", "2024-01-01T10:00:00+02:00", "VARCHAR", "2024-01-01T10:00:00+02:00"],
    ["2024-01-01 10:00:00", "2024-1-1 1:02:03+02", "VARCHAR", "2024-1-1 1:02:03+02"],
    ["2024-01-01 10:00:00", "201-1-1 1:2:3-05:00", "VARCHAR", "201-1-1 1:2:3-05:00"],
    ["2024-01-01 10:00:00", "2024-1-01 01:10:00Z", "VARCHAR", "2024-1-01 01:10:00Z"],
    ["2024-01-01 10:00:00Z", "2024-01-01 10:00:00", "VARCHAR", "2024-01-01 10:00:00"],
    ["2024-01-01 10:00:00Z", "2024-01-01 10:00:00.5+05:30", "TIMESTAMP WITH TIME ZONE", "2024-01-01 04:30:00.5+00"],
    ["2024-01-01 10:00:00Z", "2024-01-01 10:00:00.1234567Z", "VARCHAR", "2024-01-01 10:00:00.1234567Z"],
    ["12:00:00", "12:00:00+02", "VARCHAR", "12:00:00+02"],
    ["true", "t", "VARCHAR", "t"],
    ["true", "FALSE", "BOOLEAN", "false"],
    ["true", "1", "VARCHAR", "1"],
  ])("%s and then %s is %s", async (usual, late, type, value) => {
    const loaded = await loadLate(usual, late);
    expect(loaded).toMatchObject({ type, value, rows: MANY + 1 });
  });

  it("starts over once for all columns, and says each change with its cause", async () => {
    const loaded = await lab.loadText(
      `a,b,c,d\n${"1,1.5,2024-01-01,x\n".repeat(MANY)}007,0.12345678901234567,soon,y\n`,
    );
    expect(loaded.restarts).toBe(1);
    expect(loaded.types).toEqual({ a: "VARCHAR", b: "DECIMAL(18,17)", c: "VARCHAR", d: "VARCHAR" });
    expect(loaded.warnings).toEqual([
      'column "a": looked like BIGINT, but holds "007"; it is read as VARCHAR, since a number would lose leading zeros',
      'column "b": looked like DOUBLE, but holds "0.12345678901234567"; it is read as DECIMAL(18,17), since DOUBLE would lose digits beyond the 15th',
      'column "c": looked like DATE, but holds "soon"; it is read as VARCHAR',
    ]);
  });

  it("leaves NULLs out of the question", async () => {
    const loaded = await lab.loadText(`a,b\n${",1\n".repeat(MANY)}5,1.5\n,\n`);
    expect(loaded.types).toEqual({ a: "VARCHAR", b: "DOUBLE" });
  });

  it("checks tables of many columns as strictly", async () => {
    const width = 300;
    const line = (cell: (column: number) => string) =>
      `${Array.from({ length: width }, (_, at) => cell(at)).join(",")}\n`;
    const usual = line((at) => (at % 2 ? "1.5" : "7"));
    const late = line((at) => ["00", "1.2345678901234567", '"8"', "-1", "99999999999999999999", "x"][at] ?? "");
    const loaded = await lab.loadText(line((at) => `c${at}`) + usual.repeat(3_000) + late);
    expect(loaded).toMatchObject({ rows: 3_001, restarts: 1 });
    expect(loaded.columns.slice(0, 8).map(({ type }) => type)).toEqual([
      "VARCHAR",
      "DECIMAL(18,16)",
      "BIGINT",
      "DOUBLE",
      "DECIMAL(38,0)",
      "VARCHAR",
      "BIGINT",
      "DOUBLE",
    ]);
    const [row] = await lab.query(
      `SELECT c0, c1::VARCHAR, c2, c3, c4::VARCHAR, c5, c6 FROM '${loaded.directory}/*.parquet' WHERE c0 = '00'`,
    );
    expect(row).toEqual(["00", "1.2345678901234567", "8", -1, "99999999999999999999", "x", null]);
  });
});

describe("a type that the sample already contradicts", () => {
  it("keeps leading zeros as text and says why", async () => {
    const loaded = await lab.loadText("zip,v\n00123,1\n04567,2\n");
    expect(loaded).toMatchObject({ types: { zip: "VARCHAR", v: "BIGINT" }, restarts: 0 });
    expect(loaded.warnings).toEqual(['column "zip": it is read as VARCHAR, since a number would lose leading zeros']);
  });

  it("keeps long decimals exact", async () => {
    const loaded = await lab.loadText("v\n12345678901234567890.12\n0.5\n");
    expect(loaded.types).toEqual({ v: "DECIMAL(38,2)" });
    expect(loaded.values).toEqual([["0.50"], ["12345678901234567890.12"]]);
    expect(loaded.warnings).toHaveLength(1);
  });

  it("keeps integers of 128 bits exact", async () => {
    const loaded = await lab.loadText(`v\n${2n ** 100n}\n-5\n`);
    expect(loaded.values).toEqual([["-5"], [String(2n ** 100n)]]);
  });
});

describe("declared types", () => {
  it("are taken as they are said", async () => {
    const loaded = await lab.loadText("a,b,c,d,e\n007,1.239,1,12345678901234567890,x\n", {
      options: { types: "a=INTEGER,b=DECIMAL(6,2),c=VARCHAR,d=DOUBLE" },
    });
    expect(loaded.types).toEqual({ a: "INTEGER", b: "DECIMAL(6,2)", c: "VARCHAR", d: "DOUBLE", e: "VARCHAR" });
    expect(loaded.values).toEqual([[7, "1.24", "1", 12345678901234567000, "x"]]);
  });

  it("keep HUGEINT as a decimal of 38 digits, since Parquet has no such integer", async () => {
    const loaded = await lab.loadText("a\n170141183460469231731687303715884105\n", {
      options: { types: '{"a":"hugeint"}' },
    });
    expect(loaded.types).toEqual({ a: "DECIMAL(38,0)" });
    expect(loaded.values).toEqual([["170141183460469231731687303715884105"]]);
  });

  it.each([
    ["BIGINT", "1.5"],
    ["BIGINT", "x"],
    ["TINYINT", "300"],
    ["UINTEGER", "-1"],
    ["DATE", "2024-01-01 10:00:00"],
    ["TIMESTAMP", "2024-01-01 10:00:00+02"],
    ["TIMESTAMP", "2024-01-01 10:00:00.1234567"],
    ["DECIMAL(4,2)", "999"],
    ["UUID", "not-one"],
  ])("%s are never widened: %s is an error with its place", async (type, value) => {
    const error = await lab.textFailure(`a,b\n"x\n\ny",\n\nz,${value}\n`, { options: { types: { b: type } } });
    expect(error.reason).toBe("LOAD_TYPE_MISMATCH");
    expect(error.metadata).toMatchObject({ line: "6", column: "b", value, type });
    expect(error.message).toContain(`line 6, column "b"`);
  });
});
