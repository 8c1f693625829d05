import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { LoadLab } from "../../helpers/load-engine.ts";
import { mysqlDatabase, mysqlSource, type TestDatabase } from "../../helpers/mysql-database.ts";
import { loadSource, type SourceLoad } from "../../helpers/source-load.ts";

let db: TestDatabase;
let lab: LoadLab;
beforeAll(async () => {
  [db, lab] = await Promise.all([mysqlDatabase(), LoadLab.open()]);
  // What servers may be set to; every mapping must hold under it.
  await db.run("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+05:30'");
});
afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** Both ways of transfer, which must give the same. */
async function both(options: Readonly<Record<string, unknown>>, orderBy?: string): Promise<SourceLoad> {
  const more = orderBy === undefined ? {} : { orderBy };
  const text = await loadSource(lab, mysqlSource(db, { ...options, transfer: "text" }), more);
  const rows = await loadSource(lab, mysqlSource(db, { ...options, transfer: "rows" }), more);
  expect(rows.values).toEqual(text.values);
  expect(rows.types).toEqual(text.types);
  return text;
}

const HEX = "\\x";
async function failure(options: Readonly<Record<string, unknown>>): Promise<DriverError> {
  return loadSource(lab, mysqlSource(db, options)).then(
    () => {
      throw new Error("the load succeeded");
    },
    (error: unknown) => DriverError.from(error),
  );
}

/** Declaration, type of the dataset's column, values in SQL, the same values as they are read back. */
const cases: readonly (readonly [string, string, readonly string[], readonly unknown[]])[] = [
  ["TINYINT", "TINYINT", ["-128", "127"], [-128, 127]],
  ["TINYINT(1)", "TINYINT", ["-128", "0", "1", "127"], [-128, 0, 1, 127]],
  ["TINYINT UNSIGNED", "UTINYINT", ["0", "255"], [0, 255]],
  ["SMALLINT", "SMALLINT", ["-32768", "32767"], [-32768, 32767]],
  ["SMALLINT UNSIGNED", "USMALLINT", ["65535"], [65535]],
  ["MEDIUMINT", "INTEGER", ["-8388608", "8388607"], [-8388608, 8388607]],
  ["MEDIUMINT UNSIGNED", "UINTEGER", ["16777215"], [16777215]],
  ["INT", "INTEGER", ["-2147483648", "2147483647"], [-2147483648, 2147483647]],
  ["INT UNSIGNED", "UINTEGER", ["4294967295"], [4294967295]],
  ["INT(8) ZEROFILL", "UINTEGER", ["42"], [42]],
  [
    "BIGINT",
    "BIGINT",
    ["-9223372036854775808", "9223372036854775807"],
    ["-9223372036854775808", "9223372036854775807"],
  ],
  ["BIGINT UNSIGNED", "UBIGINT", ["18446744073709551615"], ["18446744073709551615"]],
  ["DECIMAL(5,2)", "DECIMAL(5,2)", ["-999.99", "0.01"], ["-999.99", "0.01"]],
  ["DECIMAL(10,0) UNSIGNED", "DECIMAL(10,0)", ["9999999999"], ["9999999999"]],
  [
    "DECIMAL(38,30)",
    "DECIMAL(38,30)",
    ["-99999999.999999999999999999999999999999", "0.000000000000000000000000000001"],
    ["-99999999.999999999999999999999999999999", "0.000000000000000000000000000001"],
  ],
  [
    "DECIMAL(38,38) ",
    "DECIMAL(38,38)",
    ["0.00000000000000000000000000000000000001"],
    ["0.00000000000000000000000000000000000001"],
  ],
  [
    "FLOAT",
    "FLOAT",
    ["3.40282347e38", "-1.17549435e-38", "16777217", "0.1"],
    [3.4028234663852886e38, -1.1754943508222875e-38, 16777216, 0.10000000149011612],
  ],
  ["FLOAT(9,3)", "FLOAT", ["123456.789", "0.001"], [123456.7890625, 0.0010000000474974513]],
  [
    "DOUBLE",
    "DOUBLE",
    ["1.7976931348623157e308", "2.2250738585072014e-308", "0.1", "9007199254740993", "-0.30000000000000004"],
    [1.7976931348623157e308, 2.2250738585072014e-308, 0.1, 9007199254740992, -0.30000000000000004],
  ],
  ["DOUBLE(20,5)", "DOUBLE", ["123456789012.34567", "0.00001"], [123456789012.34567, 0.00001]],
  ["BIT(1)", "BOOLEAN", ["b'0'", "b'1'"], [false, true]],
  ["BIT(8)", "UBIGINT", ["b'0'", "b'11111111'", "b'101100'"], ["0", "255", "44"]],
  [
    "BIT(64)",
    "UBIGINT",
    ["b'1111111111111111111111111111111111111111111111111111111111111111'"],
    ["18446744073709551615"],
  ],
  ["YEAR", "SMALLINT", ["1901", "2155", "0"], [1901, 2155, 0]],
  [
    "DATE",
    "DATE",
    ["'1000-01-01'", "'9999-12-31'", "'2024-02-29'", "'0001-01-01'"],
    ["1000-01-01", "9999-12-31", "2024-02-29", "0001-01-01"],
  ],
  [
    "DATETIME",
    "TIMESTAMP",
    ["'9999-12-31 23:59:59'", "'2024-02-29 00:00:00'"],
    ["9999-12-31 23:59:59", "2024-02-29 00:00:00"],
  ],
  [
    "DATETIME(6)",
    "TIMESTAMP",
    ["'9999-12-31 23:59:59.999999'", "'1000-01-01 00:00:00.000001'"],
    ["9999-12-31 23:59:59.999999", "1000-01-01 00:00:00.000001"],
  ],
  [
    "TIMESTAMP(6)",
    "TIMESTAMP WITH TIME ZONE",
    // The test's own session is at +05:30.
    ["'1970-01-01 05:30:01.000001'", "'2038-01-19 08:44:07.999999'", "'2024-03-31 02:30:00'"],
    ["1970-01-01 00:00:01.000001+00", "2038-01-19 03:14:07.999999+00", "2024-03-30 21:00:00+00"],
  ],
  ["TIME", "TIME", ["'00:00:00'", "'23:59:59'"], ["00:00:00", "23:59:59"]],
  ["TIME(6)", "TIME", ["'23:59:59.999999'", "'24:00:00'"], ["23:59:59.999999", "24:00:00"]],
  ["CHAR(5)", "VARCHAR", ["''", "'a'", "'äöü😀'"], ["", "a", "äöü😀"]],
  [
    "VARCHAR(100)",
    "VARCHAR",
    ["''", "' '", "'NULL'", "'\\\\N'", "'a,b'", "'say \"no\"'", "'x\\r\\ny'", "'\\0'", "'trailing '", "'😀'", "'\\\\'"],
    ["", " ", "NULL", "\\N", "a,b", 'say "no"', "x\r\ny", "\0", "trailing ", "😀", "\\"],
  ],
  ["VARCHAR(20) CHARACTER SET latin1", "VARCHAR", ["'äß€'"], ["äß€"]],
  ["VARCHAR(20) CHARACTER SET utf16", "VARCHAR", ["'😀ж'"], ["😀ж"]],
  ["VARCHAR(20) CHARACTER SET cp1251", "VARCHAR", ["'жук'"], ["жук"]],
  ["LONGTEXT", "VARCHAR", ["REPEAT('x,', 100000)"], ["x,".repeat(100_000)]],
  ["ENUM('a','b,c','')", "VARCHAR", ["'a'", "'b,c'", "''"], ["a", "b,c", ""]],
  ["SET('a','b','c')", "VARCHAR", ["'a,c'", "''"], ["a,c", ""]],
  [
    "JSON",
    "JSON",
    ['\'{"a": [1, 2.50, null, "é"]}\'', "'12345678901234567890.12'", "'\"\"'"],
    ['{"a": [1, 2.50, null, "é"]}', "12345678901234567890.12", '""'],
  ],
  ["BINARY(3)", "BLOB", ["X'00ff'", "''"], [`${HEX}00${HEX}FF${HEX}00`, `${HEX}00${HEX}00${HEX}00`]],
  ["VARBINARY(10)", "BLOB", ["X'00ff22'", "''"], [`${HEX}00${HEX}FF${HEX}22`, ""]],
  ["BLOB", "BLOB", ["X'ff2c0a'"], [`${HEX}FF,${HEX}0A`]],
  [
    "POINT",
    "BLOB",
    ["ST_GeomFromText('POINT(1 2)', 4326)"],
    [expect.stringMatching(/^\\xE6\\x10\\x00\\x00\\x01\\x01/)],
  ],
  [
    "UUID",
    "UUID",
    ["'00000000-0000-0000-0000-000000000000'", "'FFFFFFFF-ffff-4fff-bfff-ffffffffffff'"],
    ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"],
  ],
  ["INET6", "VARCHAR", ["'::1'", "'2001:db8::ff00:42:8329'"], ["::1", "2001:db8::ff00:42:8329"]],
  ["INET4", "VARCHAR", ["'255.0.0.1'"], ["255.0.0.1"]],
];

describe("each type of MariaDB keeps its values", () => {
  const rows = Math.max(...cases.map(([, , values]) => values.length)) + 1;
  let loaded: SourceLoad;
  beforeAll(async () => {
    const columns = cases.map(([declaration], index) => `v${index} ${declaration} NULL`);
    await db.run(`CREATE TABLE types (id INT PRIMARY KEY, ${columns.join(", ")}) ROW_FORMAT = DYNAMIC`);
    const tuples = Array.from(
      { length: rows },
      (_, row) => `(${row}, ${cases.map(([, , values]) => values[row] ?? "NULL").join(", ")})`,
    );
    await db.run(`INSERT INTO types VALUES ${tuples.join(", ")}`);
    loaded = await both({ table: "types" }, "id");
  });

  it.each(cases.map((each, index) => [...each, index] as const))(
    "%s is %s",
    (_type, expected, _values, read, index) => {
      expect(loaded.types[`v${index}`]).toBe(expected);
      const values = loaded.values.map((row) => row[index + 1]);
      expect(values.slice(0, read.length)).toEqual(read);
      expect(values.slice(read.length)).toEqual(Array.from({ length: rows - read.length }, () => null));
    },
  );

  it("warns of nothing", () => expect(loaded.warnings).toEqual([]));
});

describe("dates that no calendar has", () => {
  beforeAll(async () => {
    await db.run("CREATE TABLE zero_dates (id INT PRIMARY KEY, d DATE, t DATETIME(3), s TIMESTAMP NULL)");
    await db.run(
      `INSERT INTO zero_dates VALUES (1, '0000-00-00', '0000-00-00', '0000-00-00'), (2, '2024-00-10', '2024-02-31 10:00:00', NULL),
       (3, '0000-01-01', '2024-02-29 00:00:00', '2024-02-29 05:30:00')`,
    );
  });

  it("fail the load, which names the column and what would help", async () => {
    for (const transfer of ["text", "rows"]) {
      const error = await failure({ table: "zero_dates", transfer });
      expect(error.reason).toBe("LOAD_TYPE_MISMATCH");
      expect(error.message).toBe(
        'column "d": "0000-00-00" is no date of the calendar; set zeroDates=null or zeroDates=text to load such values',
      );
    }
  });

  it("become NULL where that is asked for", async () => {
    const { values } = await both({ table: "zero_dates", zeroDates: "null" }, "id");
    expect(values).toEqual([
      [1, null, null, null],
      [2, null, null, null],
      [3, "0000-01-01", "2024-02-29 00:00:00", "2024-02-29 00:00:00+00"],
    ]);
  });

  it("stay texts where that is asked for, for all columns or by the type of one", async () => {
    const all = await both({ table: "zero_dates", zeroDates: "text" }, "id");
    expect(all.types).toMatchObject({ d: "VARCHAR", t: "VARCHAR", s: "VARCHAR" });
    expect(all.values[0]).toEqual([1, "0000-00-00", "0000-00-00 00:00:00.000", "0000-00-00 00:00:00"]);
    const one = await both({ table: "zero_dates", columns: ["d"], types: { d: "VARCHAR" } });
    expect(one.values).toEqual([["0000-00-00"], ["0000-01-01"], ["2024-00-10"]]);
  });
});

describe("times beyond a day", () => {
  beforeAll(async () => {
    await db.run("CREATE TABLE times (id INT PRIMARY KEY, t TIME(6))");
    await db.run(
      "INSERT INTO times VALUES (1, '838:59:59.999999'), (2, '-838:59:59'), (3, '-00:00:00.5'), (4, '10:00:00'), (5, NULL)",
    );
  });

  it("fail the load, which names the column and what would help", async () => {
    for (const transfer of ["text", "rows"])
      expect((await failure({ table: "times", transfer })).message).toMatch(
        /column "t": "838:59:59.999999".*times=seconds/,
      );
    expect((await failure({ query: "SELECT t FROM times WHERE id = 2" })).reason).toBe("LOAD_TYPE_MISMATCH");
  });

  it("are exact as seconds, and as they are as texts", async () => {
    const seconds = await both({ table: "times", times: "seconds" }, "id");
    expect(seconds.types.t).toBe("DECIMAL(13,6)");
    expect(seconds.values.map((row) => row[1])).toEqual([
      "3020399.999999",
      "-3020399.000000",
      "-0.500000",
      "36000.000000",
      null,
    ]);
    const texts = await both({ table: "times", times: "text" }, "id");
    expect(texts.values[1]).toEqual([2, "-838:59:59.000000"]);
  });
});

describe("decimals of more than 38 digits", () => {
  const widest = `${"9".repeat(35)}.${"9".repeat(30)}`;
  beforeAll(async () => {
    await db.run("CREATE TABLE wide (v DECIMAL(65,30), s DECIMAL(39,0))");
    await db.run(`INSERT INTO wide VALUES (${widest}, -${"9".repeat(39)}), (0.5, 1)`);
  });

  it("stay texts with all their digits, and a warning says so", async () => {
    const { types, values, warnings } = await both({ table: "wide" });
    expect(types).toEqual({ v: "VARCHAR", s: "VARCHAR" });
    expect(values).toEqual([
      [`0.5${"0".repeat(29)}`, "1"],
      [widest, `-${"9".repeat(39)}`],
    ]);
    expect(warnings).toEqual([
      expect.stringContaining('"v": DECIMAL(65,30) has more than 38 digits'),
      expect.stringContaining('"s": DECIMAL(39,0) has more than 38 digits'),
    ]);
  });

  it("are numbers where a type is declared that holds them, and an error where it does not", async () => {
    const { values } = await both({ query: "SELECT v FROM wide WHERE v < 1", types: { v: "DECIMAL(10,2)" } });
    expect(values).toEqual([["0.50"]]);
    const error = await failure({ table: "wide", columns: ["v"], types: { v: "DECIMAL(38,3)" } });
    expect(error.reason).toBe("LOAD_TYPE_MISMATCH");
  });
});

it("a JSON of any depth and size of numbers stays as it was written", async () => {
  await db.run("CREATE TABLE documents (v JSON)");
  const deep = `${"[".repeat(30)}1e400${"]".repeat(30)}`;
  await db.run(
    `INSERT INTO documents VALUES ('${deep}'), ('{"a":1,"a":2}'), (' [1 , 2] '), ('"\\\\ud83d\\\\ude00"'), (NULL)`,
  );
  const { types, values } = await both({ table: "documents" });
  expect(types.v).toBe("JSON");
  expect(values.map(([value]) => value)).toEqual([
    ...[deep, '{"a":1,"a":2}', " [1 , 2] ", '"\\ud83d\\ude00"'].sort(),
    null,
  ]);
});

it("a table of one column keeps rows that are NULL or empty apart", async () => {
  await db.run("CREATE TABLE one (v VARCHAR(5))");
  await db.run("INSERT INTO one VALUES (NULL), (''), (NULL), ('x')");
  const { values } = await both({ table: "one" });
  expect(values).toEqual([[""], ["x"], [null], [null]]);
});

it("every FLOAT and DOUBLE comes back as the same bits", async () => {
  const seed = Date.now() % 2 ** 31;
  console.log(`floating-point numbers of seed ${seed}`);
  let state = seed;
  const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
  const bits = new DataView(new ArrayBuffer(8));
  const numbers = Array.from({ length: 400 }, () => {
    bits.setUint32(0, random());
    bits.setUint32(4, random());
    return { double: bits.getFloat64(0), float: bits.getFloat32(0) };
  }).filter(({ double, float }) => Number.isFinite(double) && Number.isFinite(float));
  await db.run("CREATE TABLE floats (id INT PRIMARY KEY, f FLOAT, d DOUBLE)");
  const rows = numbers.map(({ double, float }, id) => `(${id}, ${float.toExponential()}, ${double.toExponential()})`);
  await db.run(`INSERT INTO floats VALUES ${rows.join(", ")}`);
  const { values } = await both({ table: "floats" }, "id");
  expect(values.map(([, float, double]) => ({ float, double }))).toEqual(
    // The server keeps no negative zero.
    numbers.map(({ float, double }) => ({ float: float + 0, double: double + 0 })),
  );
});
