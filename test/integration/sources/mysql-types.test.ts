import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Source } from "../../../src/sources/connector.ts";
import { LoadLab } from "../../helpers/load-engine.ts";
import { mysqlDatabase, type TestDatabase } from "../../helpers/mysql-database.ts";
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

function source(options: Readonly<Record<string, unknown>>): Source {
  const { url, user, password } = db;
  return { kind: "mysql", uri: "", options, server: { name: "test", uri: url, options: { user }, password } };
}

/** Both ways of transfer, which must give the same. */
async function both(options: Readonly<Record<string, unknown>>, orderBy?: string): Promise<SourceLoad> {
  const more = orderBy === undefined ? {} : { orderBy };
  const text = await loadSource(lab, source({ ...options, transfer: "text" }), more);
  const rows = await loadSource(lab, source({ ...options, transfer: "rows" }), more);
  expect(rows.values).toEqual(text.values);
  expect(rows.types).toEqual(text.types);
  return text;
}

const HEX = "\\x";
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
