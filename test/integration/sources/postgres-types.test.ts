import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoadLab } from "../../helpers/load-engine.ts";
import { type PostgresDatabase, postgresDatabase } from "../../helpers/postgres-database.ts";
import { loadSource, type SourceLoad } from "../../helpers/source-load.ts";

let db: PostgresDatabase;
let lab: LoadLab;

beforeAll(async () => {
  [db, lab] = await Promise.all([postgresDatabase(), LoadLab.open()]);
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

const load = (options: Record<string, unknown>) => loadSource(lab, db.source(options));

/** A type, values as SQL, the column's type, and the values as the engine writes them. */
const samples: readonly (readonly [string, readonly string[], string, readonly (string | null)[]])[] = [
  ["bool", ["'t'", "'f'", "NULL"], "BOOLEAN", ["false", "true", null]],
  ["int2", ["-32768", "32767"], "SMALLINT", ["-32768", "32767"]],
  ["int4", ["-2147483648", "2147483647"], "INTEGER", ["-2147483648", "2147483647"]],
  ["int8", ["-9223372036854775808", "9223372036854775807"], "BIGINT", ["-9223372036854775808", "9223372036854775807"]],
  ["oid", ["4294967295"], "UINTEGER", ["4294967295"]],
  ["xid8", ["'18446744073709551615'"], "UBIGINT", ["18446744073709551615"]],
  [
    "float4",
    ["'NaN'", "'-Infinity'", "1e-45", "3.4028235e38", "0.1"],
    "FLOAT",
    ["-inf", "0.1", "1e-45", "3.4028235e+38", "nan"],
  ],
  [
    "float8",
    ["'NaN'", "'Infinity'", "5e-324", "1.7976931348623157e308", "0.1", "float8 '-0'"],
    "DOUBLE",
    ["-0.0", "0.1", "1.7976931348623157e+308", "5e-324", "inf", "nan"],
  ],
  ["numeric(12,2)", ["1.5", "-9999999999.99", "NULL"], "DECIMAL(12,2)", ["-9999999999.99", "1.50", null]],
  [
    "numeric(38,10)",
    ["9999999999999999999999999999.9999999999", "-0.0000000001"],
    "DECIMAL(38,10)",
    ["-0.0000000001", "9999999999999999999999999999.9999999999"],
  ],
  [
    "numeric(38)",
    ["12345678901234567890123456789012345678"],
    "DECIMAL(38,0)",
    ["12345678901234567890123456789012345678"],
  ],
  [
    "numeric(38,38)",
    ["0.12345678901234567890123456789012345678"],
    "DECIMAL(38,38)",
    [".12345678901234567890123456789012345678"],
  ],
  ["numeric(5,-2)", ["1234567"], "DECIMAL(7,0)", ["1234600"]],
  ["numeric(2,5)", ["0.00099"], "DECIMAL(5,5)", [".00099"]],
  ["numeric(12,2)", ["'NaN'", "1.5"], "DOUBLE", ["1.5", "nan"]],
  ["numeric(20,2)", ["'NaN'", "123456789012345678.90"], "VARCHAR", ["123456789012345678.90", "NaN"]],
  ["numeric", ["1.5", "100", "-0.25"], "DECIMAL(18,2)", ["-0.25", "1.50", "100.00"]],
  [
    "numeric",
    ["12345678901234567890.123456789", "1"],
    "DECIMAL(38,9)",
    ["1.000000000", "12345678901234567890.123456789"],
  ],
  ["numeric", ["123456789012345678901234567890.123456789"], "VARCHAR", ["123456789012345678901234567890.123456789"]],
  ["numeric", ["'Infinity'", "'-Infinity'", "1.5"], "VARCHAR", ["-Infinity", "1.5", "Infinity"]],
  ["numeric", ["NULL"], "DECIMAL(18,0)", [null]],
  ["money", ["'-92233720368547758.08'", "12.3"], "DECIMAL(19,2)", ["-92233720368547758.08", "12.30"]],
  [
    "date",
    [
      "'infinity'",
      "'-infinity'",
      "'4714-11-24 BC'",
      "'0044-03-15 BC'",
      "'0001-01-01'",
      "'5874897-12-31'",
      "'2024-02-29'",
    ],
    "DATE",
    ["-infinity", "0001-01-01", "0044-03-15 (BC)", "2024-02-29", "4714-11-24 (BC)", "5874897-12-31", "infinity"],
  ],
  [
    "timestamp",
    [
      "'infinity'",
      "'-infinity'",
      "'4714-11-24 00:00:00.000001 BC'",
      "'0044-03-15 10:00 BC'",
      "'294246-12-31 23:59:59.999999'",
    ],
    "TIMESTAMP",
    [
      "-infinity",
      "0044-03-15 (BC) 10:00:00",
      "294246-12-31 23:59:59.999999",
      "4714-11-24 (BC) 00:00:00.000001",
      "infinity",
    ],
  ],
  [
    "timestamptz",
    ["'infinity'", "'2024-07-01 12:00:00.123456+05:30'", "'0044-03-15 00:30+01 BC'", "'0001-01-01 00:30+01'"],
    "TIMESTAMP WITH TIME ZONE",
    ["0001-12-31 (BC) 23:30:00+00", "0044-03-14 (BC) 23:30:00+00", "2024-07-01 06:30:00.123456+00", "infinity"],
  ],
  ["time", ["'24:00:00'", "'00:00:00.000001'"], "TIME", ["00:00:00.000001", "24:00:00"]],
  ["timetz", ["'23:59:59.999999-15:59'", "'12:00+02'"], "VARCHAR", ["12:00:00+02", "23:59:59.999999-15:59"]],
  [
    "interval",
    ["'1 year 2 months 3 days 4:05:06.000007'", "'-1 mon +1 day -00:00:01'"],
    "VARCHAR",
    ["P-1M1DT-1S", "P1Y2M3DT4H5M6.000007S"],
  ],
  ["uuid", ["'00112233-4455-6677-8899-aabbccddeeff'"], "UUID", ["00112233-4455-6677-8899-aabbccddeeff"]],
  ["bytea", ["'\\x00ff225c0a2c'", "''", "NULL"], "BLOB", ["", "\\x00\\xFF\\x22\\x5C\\x0A,", null]],
  ["json", [`'{"b": 1, "a":1.0, "b":[]}'`, `'"\\ud800"'`], "VARCHAR", ['"\\ud800"', '{"b": 1, "a":1.0, "b":[]}']],
  ["json", [`'{"b": 1, "a":1.0, "b":[]}'`], "JSON", ['{"b": 1, "a":1.0, "b":[]}']],
  ["jsonb[]", [`ARRAY['{"a":[1]}'::jsonb, NULL]`], "VARCHAR[]", [`['{"a": [1]}', NULL]`]],
  ["jsonb", [`'{"n":12345678901234567890123.10}'`], "JSON", ['{"n": 12345678901234567890123.10}']],
  [
    "text",
    ["''", "NULL", "'NULL'", `E'a"b,\\n\\r\\\\c\\t'`, "'\\.'", "'Zürich 🚀'"],
    "VARCHAR",
    ["", "NULL", "Zürich 🚀", "\\.", 'a"b,\n\r\\c\t', null],
  ],
  ["char(4)", ["'ab'"], "VARCHAR", ["ab  "]],
  ["char(4)[]", ["'{ab,NULL}'"], "VARCHAR[]", ["['ab  ', NULL]"]],
  [`"char"`, ["'x'"], "VARCHAR", ["x"]],
  ["bit(5)", ["B'01010'"], "VARCHAR", ["01010"]],
  ["varbit", ["B'0101'", "B''"], "VARCHAR", ["", "0101"]],
  ["inet", ["'10.0.0.1/8'", "'::1'"], "VARCHAR", ["10.0.0.1/8", "::1"]],
  ["macaddr", ["'08:00:2b:01:02:03'"], "VARCHAR", ["08:00:2b:01:02:03"]],
  ["int4range", ["'[1,5)'", "'empty'"], "VARCHAR", ["[1,5)", "empty"]],
  ["tstzrange", ["'[2024-01-01 00:00+01,)'"], "VARCHAR", ['["2023-12-31 23:00:00+00",)']],
  ["point", ["'(1,2.5)'"], "VARCHAR", ["(1,2.5)"]],
  ["xml", ["'<a>1</a>'"], "VARCHAR", ["<a>1</a>"]],
  ["tsvector", ["'a b'"], "VARCHAR", ["'a' 'b'"]],
  ["int4[]", ["'{1,NULL,3}'", "'{}'", "NULL"], "INTEGER[]", ["[]", "[1, NULL, 3]", null]],
  ["int4[]", ["'{{1,2},{3,4}}'", "'{}'"], "INTEGER[][]", ["[[1, 2], [3, 4]]", "[]"]],
  ["int4[]", ["'{1}'", "'{{1,2}}'"], "VARCHAR", ["{1}", "{{1,2}}"]],
  ["int4[]", ["'[0:1]={1,2}'"], "VARCHAR", ["[0:1]={1,2}"]],
  ["int4[]", ["'[11:11]={1}'"], "VARCHAR", ["[11:11]={1}"]],
  ["text[]", [`'{"a\\"b","NULL",NULL,"","{x}","c,d"}'`], "VARCHAR[]", [`['a"b', 'NULL', NULL, '', '{x}', 'c,d']`]],
  ["bool[]", ["'{t,f,NULL}'"], "BOOLEAN[]", ["[true, false, NULL]"]],
  ["numeric(10,2)[]", ["'{1.5,NULL}'"], "DECIMAL(10,2)[]", ["[1.50, NULL]"]],
  ["numeric[]", ["'{1.5,12345678901234567890}'"], "DECIMAL(38,1)[]", ["[1.5, 12345678901234567890.0]"]],
  ["numeric[]", ["'{NaN,1}'"], "VARCHAR[]", ["[NaN, 1]"]],
  ["float8[]", ["'{NaN,-Infinity,0.1}'"], "DOUBLE[]", ["[nan, -inf, 0.1]"]],
  ["date[]", [`'{"0044-03-15 BC",infinity,2024-01-01}'`], "DATE[]", ["['0044-03-15 (BC)', infinity, 2024-01-01]"]],
  [
    "timestamptz[]",
    [`'{"0044-03-15 00:00+00 BC","2024-01-01 00:00+01"}'`],
    "TIMESTAMP WITH TIME ZONE[]",
    ["['0044-03-15 (BC) 00:00:00+00', '2023-12-31 23:00:00+00']"],
  ],
  ["bytea[]", [`'{"\\\\x00ff"}'`], "VARCHAR[]", ["[\\x00ff]"]],
  ["drover_enum", ["'big one'", "'it''s'"], "VARCHAR", ["big one", "it's"]],
  ["drover_enum[]", [`'{"big one",NULL}'`], "VARCHAR[]", ["[big one, NULL]"]],
  ["drover_pair", [`ROW(1, 'a "b"')`, "ROW(NULL, '')"], "VARCHAR", [`(,"")`, `(1,"a ""b""")`]],
  ["drover_cents", ["1.5"], "DECIMAL(9,2)", ["1.50"]],
  ["uuid[]", ["'{00112233-4455-6677-8899-aabbccddeeff}'"], "UUID[]", ["[00112233-4455-6677-8899-aabbccddeeff]"]],
];

let byCopy: SourceLoad;
let byRows: SourceLoad;

describe("types of PostgreSQL keep all of their values", () => {
  beforeAll(async () => {
    await db.run(`CREATE TYPE drover_enum AS ENUM ('big one', 'it''s');
      CREATE TYPE drover_pair AS (a int, b text);
      CREATE DOMAIN drover_cents AS numeric(9,2) CHECK (VALUE > 0)`);
    // One column for each sample, one row for each of its values: NULL where another sample has more.
    const rows = Array.from({ length: Math.max(...samples.map(([, values]) => values.length)) }, (_, row) => {
      const values = samples.map(([type, values], at) => `(${values[row] ?? "NULL"})::${type} AS "s${at} ""x"""`);
      return `SELECT ${values.join(", ")}`;
    });
    const query = rows.join("\nUNION ALL ");
    byCopy = await load({ query, transfer: "copy" });
    byRows = await load({ query, transfer: "rows" });
  });

  it("the same by COPY and by rows", () => {
    expect(byRows.types).toEqual(byCopy.types);
    expect(byRows.values).toEqual(byCopy.values);
    expect(byRows.warnings).toEqual(byCopy.warnings);
  });

  it.each(samples.map((sample, at) => [...sample, at] as const))("%s %j", async (type, _, column, expected, at) => {
    const name = `s${at} "x"`;
    expect(byCopy.types[name]).toBe(column);
    const found = await lab.query(`SELECT "s${at} ""x"""::VARCHAR FROM ${byCopy.from}`);
    const sorted = (list: readonly unknown[]) =>
      list
        .filter((value) => value !== null)
        .map(String)
        .sort();
    expect(sorted(found.map(([value]) => value))).toEqual(sorted(expected));
    const warned = byCopy.warnings.some((warning) => warning.startsWith(`column ${JSON.stringify(name)}`));
    expect(warned).toBe(/^(numeric|int4\[\])/.test(type) && column.startsWith("VARCHAR"));
  });
});
