/** A value of a type: how SQL makes it, and its JSON form, worked out by hand. */
export type Sample = readonly [sql: string, json: unknown];

/** Values of every type of the table, by the type's text there. NULL is added to each by the test. */
export const typeSamples: Readonly<Record<string, readonly Sample[]>> = {
  BOOLEAN: [
    ["true", true],
    ["false", false],
  ],
  TINYINT: [
    ["(-128)::TINYINT", -128],
    ["127::TINYINT", 127],
  ],
  SMALLINT: [
    ["(-32768)::SMALLINT", -32768],
    ["32767::SMALLINT", 32767],
  ],
  INTEGER: [
    ["(-2147483648)::INTEGER", -2147483648],
    ["2147483647::INTEGER", 2147483647],
  ],
  BIGINT: [
    ["(-9223372036854775808)::BIGINT", "-9223372036854775808"],
    ["9223372036854775807::BIGINT", "9223372036854775807"],
    ["9007199254740993::BIGINT", "9007199254740993"],
  ],
  HUGEINT: [
    ["'-170141183460469231731687303715884105728'::HUGEINT", "-170141183460469231731687303715884105728"],
    ["'170141183460469231731687303715884105727'::HUGEINT", "170141183460469231731687303715884105727"],
    ["(-1)::HUGEINT", "-1"],
    ["18446744073709551616::HUGEINT", "18446744073709551616"],
  ],
  UTINYINT: [
    ["0::UTINYINT", 0],
    ["255::UTINYINT", 255],
  ],
  USMALLINT: [["65535::USMALLINT", 65535]],
  UINTEGER: [["4294967295::UINTEGER", 4294967295]],
  UBIGINT: [["18446744073709551615::UBIGINT", "18446744073709551615"]],
  UHUGEINT: [
    ["0::UHUGEINT", "0"],
    ["'340282366920938463463374607431768211455'::UHUGEINT", "340282366920938463463374607431768211455"],
  ],
  BIGNUM: [
    ["'0'::BIGNUM", "0"],
    [
      "'123456789012345678901234567890123456789012345678901'::BIGNUM",
      "123456789012345678901234567890123456789012345678901",
    ],
    [
      "'-98765432109876543210987654321098765432109876543210'::BIGNUM",
      "-98765432109876543210987654321098765432109876543210",
    ],
    ["'-1'::BIGNUM", "-1"],
  ],
  "DECIMAL(p,s)": [
    ["0.05::DECIMAL(4,2)", "0.05"],
    ["(-99.99)::DECIMAL(4,2)", "-99.99"],
    ["(-1234567.89)::DECIMAL(9,2)", "-1234567.89"],
    ["(-123456789012345.678)::DECIMAL(18,3)", "-123456789012345.678"],
    ["'-12345678901234567890.123456789012345678'::DECIMAL(38,18)", "-12345678901234567890.123456789012345678"],
    ["'99999999999999999999999999999999999999'::DECIMAL(38,0)", "99999999999999999999999999999999999999"],
    ["'-0.00000000000000000000000000000000000001'::DECIMAL(38,38)", "-0.00000000000000000000000000000000000001"],
    ["7::DECIMAL(1,0)", "7"],
  ],
  FLOAT: [
    ["0.1::FLOAT", 0.1],
    ["16777216::FLOAT", 16777216],
    ["3.4028235e38::FLOAT", 3.4028235e38],
    ["1e-45::FLOAT", 1e-45],
    ["'nan'::FLOAT", "NaN"],
    ["'-inf'::FLOAT", "-Infinity"],
  ],
  DOUBLE: [
    ["0.1::DOUBLE", 0.1],
    ["1.7976931348623157e308::DOUBLE", 1.7976931348623157e308],
    ["'nan'::DOUBLE", "NaN"],
    ["'inf'::DOUBLE", "Infinity"],
    ["'-inf'::DOUBLE", "-Infinity"],
  ],
  VARCHAR: [
    ["''", ""],
    ["'twelve bytes'", "twelve bytes"],
    ["'thirteen bytes'", "thirteen bytes"],
    ["'Zürich 東京 🚄 with a long enough tail'", "Zürich 東京 🚄 with a long enough tail"],
    ["'a' || chr(0) || 'b'", "a\0b"],
  ],
  JSON: [[`'{"a":[1,null]}'::JSON`, '{"a":[1,null]}']],
  "ENUM(…)": [
    ["'small'::ENUM('small', 'large')", "small"],
    ["'large'::ENUM('small', 'large')", "large"],
  ],
  BLOB: [
    ["''::BLOB", ""],
    ["unhex('00ff80')", "AP+A"],
    ["unhex('00112233445566778899aabbccddeeff')", "ABEiM0RVZneImaq7zN3u/w=="],
  ],
  DATE: [
    ["DATE '2024-02-29'", "2024-02-29"],
    ["DATE '1969-12-31'", "1969-12-31"],
    ["DATE '0001-01-01'", "0001-01-01"],
    ["DATE '0001-12-31 (BC)'", "0000-12-31"],
    ["DATE '0044-03-15 (BC)'", "-000043-03-15"],
    ["DATE '12024-02-29'", "+012024-02-29"],
    ["DATE '5881580-07-10'", "+5881580-07-10"],
    ["DATE 'infinity'", "infinity"],
    ["DATE '-infinity'", "-infinity"],
  ],
  TIME: [
    ["TIME '00:00:00'", "00:00:00"],
    ["TIME '23:59:59.999999'", "23:59:59.999999"],
    ["TIME '12:34:56.5'", "12:34:56.5"],
  ],
  TIME_NS: [["TIME_NS '23:59:59.999999999'", "23:59:59.999999999"]],
  "TIME WITH TIME ZONE": [
    ["TIMETZ '12:34:56+02:00'", "12:34:56+02:00"],
    ["TIMETZ '12:34:56.789-05:30'", "12:34:56.789-05:30"],
    ["TIMETZ '00:00:00+15:59:59'", "00:00:00+15:59:59"],
  ],
  TIMESTAMP: [
    ["TIMESTAMP '2024-02-29 12:34:56.000001'", "2024-02-29T12:34:56.000001"],
    ["TIMESTAMP '1969-12-31 23:59:59.999999'", "1969-12-31T23:59:59.999999"],
    ["TIMESTAMP '294247-01-10 04:00:54.775806'", "+294247-01-10T04:00:54.775806"],
    ["TIMESTAMP '0044-03-15 (BC) 12:00:00'", "-000043-03-15T12:00:00"],
    ["TIMESTAMP 'infinity'", "infinity"],
    ["TIMESTAMP '-infinity'", "-infinity"],
  ],
  TIMESTAMP_S: [["TIMESTAMP_S '1969-12-31 23:59:59'", "1969-12-31T23:59:59"]],
  TIMESTAMP_MS: [["TIMESTAMP_MS '1969-12-31 23:59:59.999'", "1969-12-31T23:59:59.999"]],
  TIMESTAMP_NS: [
    ["TIMESTAMP_NS '1969-12-31 23:59:59.999999999'", "1969-12-31T23:59:59.999999999"],
    ["TIMESTAMP_NS '2024-02-29 00:00:00.1'", "2024-02-29T00:00:00.1"],
  ],
  "TIMESTAMP WITH TIME ZONE": [
    ["TIMESTAMPTZ '2024-02-29 12:34:56+02'", "2024-02-29T10:34:56Z"],
    ["TIMESTAMPTZ '1969-12-31 23:59:59.5+00'", "1969-12-31T23:59:59.5Z"],
    ["TIMESTAMPTZ 'infinity'", "infinity"],
  ],
  INTERVAL: [
    ["INTERVAL '0 days'", "PT0S"],
    ["INTERVAL '14 months' + INTERVAL '3 days' + INTERVAL '4 hours 5 minutes 6.5 seconds'", "P1Y2M3DT4H5M6.5S"],
    ["INTERVAL '-1 month' + INTERVAL '-0.25 seconds'", "P-1MT-0.25S"],
    ["INTERVAL '2 days' + INTERVAL '-3 hours'", "P2DT-3H"],
    ["to_microseconds(-90061000001)", "PT-25H-1M-1.000001S"],
  ],
  "T[]": [
    ["[]::INTEGER[]", []],
    ["[1, NULL, 3]::INTEGER[]", [1, null, 3]],
    ["[['a long enough text', NULL], [], NULL]", [["a long enough text", null], [], null]],
    ["[{'a': [1.5::DECIMAL(3,1)]}]", [{ a: ["1.5"] }]],
  ],
  "T[n]": [
    ["[1, NULL, 3]::INTEGER[3]", [1, null, 3]],
    [
      "[['a', 'a long enough text'], ['c', NULL]]::VARCHAR[2][2]",
      [
        ["a", "a long enough text"],
        ["c", null],
      ],
    ],
  ],
  "STRUCT(…)": [
    ["{'a': 1, 'b c': 'a long enough text', 'd': NULL::DATE}", { a: 1, "b c": "a long enough text", d: null }],
    ["{'__proto__': 1, 'constructor': {'x': [1, 2]}}", JSON.parse('{"__proto__":1,"constructor":{"x":[1,2]}}')],
    ["row(1, 'x')", [1, "x"]],
  ],
  "MAP(K, V)": [
    ["MAP {}::MAP(VARCHAR, INTEGER)", []],
    [
      "MAP {'a': 1, 'a long enough key': NULL}",
      [
        { key: "a", value: 1 },
        { key: "a long enough key", value: null },
      ],
    ],
    [
      "MAP {1: [true], 2: []}",
      [
        { key: 1, value: [true] },
        { key: 2, value: [] },
      ],
    ],
  ],
  "UNION(…)": [
    ["union_value(num := 5)::UNION(num INTEGER, txt VARCHAR)", { num: 5 }],
    ["union_value(txt := 'a long enough text')::UNION(num INTEGER, txt VARCHAR)", { txt: "a long enough text" }],
  ],
  UUID: [
    ["'00112233-4455-6677-8899-aabbccddeeff'::UUID", "00112233-4455-6677-8899-aabbccddeeff"],
    ["'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  ],
  BIT: [
    ["'1'::BIT", "1"],
    ["'010101'::BIT", "010101"],
    [`'${"10".repeat(100)}1'::BIT`, `${"10".repeat(100)}1`],
  ],
  VARIANT: [
    ["5::VARIANT", "5"],
    ["'a \"text\"'::VARIANT", '"a \\"text\\""'],
    [
      "{'a': [1, 2], 'd': DATE '2024-02-29', 'n': 1.50::DECIMAL(5,2)}::VARIANT",
      '{"a":[1,2],"d":"2024-02-29","n":"1.50"}',
    ],
    ["9223372036854775807::BIGINT::VARIANT", '"9223372036854775807"'],
  ],
  GEOMETRY: [["'POINT(1 2)'::GEOMETRY", "AQEAAAAAAAAAAADwPwAAAAAAAABA"]],
  // A bare NULL becomes an INTEGER before it reaches a result; nothing makes the type otherwise.
  NULL: [],
};
