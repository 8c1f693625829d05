import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LockedReader, openLockedReader } from "../../helpers/locked-reader.ts";

let reader: LockedReader;
beforeAll(async () => {
  reader = await openLockedReader();
});
afterAll(() => reader[Symbol.asyncDispose]());

/** A query that an analyst writes, with its first rows. */
const queries: readonly (readonly [
  sql: string,
  rows: unknown[][],
  parameters?: (string | number | boolean | null)[],
])[] = [
  ["SELECT count(*) FROM trips", [["120"]]],
  ["from trips select max(id)", [["119"]]],
  ["FROM zones ORDER BY zone LIMIT 1", [["north", "N", 10]]],
  [
    "VALUES (1, 'a'), (2, 'b')",
    [
      [1, "a"],
      [2, "b"],
    ],
  ],
  ["SELECT 1;", [[1]]],
  ["SELECT 1 -- the end;", [[1]]],
  ["/* trips */ SELECT count(*) /* FROM zones */ FROM trips -- FROM zones\n WHERE id < 3;;", [["3"]]],
  [
    "SELECT zone, count(*) n FROM trips GROUP BY ALL ORDER BY ALL",
    [
      ["east", "40"],
      ["north", "40"],
      ["south", "40"],
    ],
  ],
  ["SELECT zone, count(*) FROM trips GROUP BY 1 HAVING count(*) > 100", []],
  ["SELECT t.zone, z.short FROM trips t JOIN zones z ON t.zone = z.zone WHERE t.id = 0", [["north", "N"]]],
  ["SELECT trips.id, zones.area FROM trips, zones WHERE trips.zone = zones.zone AND trips.id = 1", [["1", 20]]],
  ["SELECT short FROM zones LEFT JOIN trips USING (zone) WHERE id IS NULL", [["W"]]],
  ["SELECT zone FROM zones ANTI JOIN trips USING (zone)", [["west"]]],
  ["SELECT count(*) FROM zones SEMI JOIN trips USING (zone)", [["2"]]],
  ["SELECT count(*) FROM trips NATURAL JOIN zones", [["80"]]],
  ["SELECT a.id FROM trips a ASOF JOIN trips b ON a.started >= b.started ORDER BY 1 LIMIT 1", [["0"]]],
  ["SELECT count(*) FROM zones a POSITIONAL JOIN zones b", [["3"]]],
  ["SELECT count(*) FROM zones CROSS JOIN (SELECT 1 UNION ALL SELECT 2) x", [["6"]]],
  ["SELECT count(*) FROM (SELECT DISTINCT zone FROM trips) s", [["3"]]],
  ["SELECT (SELECT max(area) FROM zones) + 1", [[31]]],
  [
    "SELECT zone FROM zones z WHERE EXISTS (SELECT 1 FROM trips t WHERE t.zone = z.zone) ORDER BY 1",
    [["north"], ["south"]],
  ],
  ["SELECT count(*) FROM trips WHERE zone IN (SELECT zone FROM zones)", [["80"]]],
  ["SELECT count(*) FROM trips WHERE id = ANY (SELECT area FROM zones)", [["3"]]],
  [
    "SELECT s.n FROM zones z, LATERAL (SELECT count(*) n FROM trips t WHERE t.zone = z.zone) s WHERE z.short = 'W'",
    [["0"]],
  ],
  [
    "WITH a AS (SELECT zone, sum(fare) f FROM trips GROUP BY 1), b AS (SELECT max(f) m FROM a) SELECT count(*) FROM a, b WHERE f = m",
    [["1"]],
  ],
  ["WITH trips AS (SELECT * FROM trips WHERE id < 5) SELECT count(*) FROM trips", [["5"]]],
  ["WITH TRIPS AS (SELECT 7 x) SELECT x FROM trips", [[7]]],
  ["SELECT * FROM (WITH zones AS (SELECT 1 x) FROM zones) a, (SELECT count(*) n FROM zones) b", [[1, "3"]]],
  ["WITH x AS MATERIALIZED (SELECT 1 a), y AS NOT MATERIALIZED (FROM x) FROM y", [[1]]],
  ["WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r", [["15"]]],
  [
    "WITH RECURSIVE r AS (SELECT id FROM trips WHERE id = 3 UNION SELECT t.id FROM trips t JOIN r ON t.id = r.id + 40) SELECT count(*) FROM r",
    [["3"]],
  ],
  ["SELECT zone FROM trips UNION SELECT zone FROM zones ORDER BY 1", [["east"], ["north"], ["south"], ["west"]]],
  ["SELECT zone FROM zones EXCEPT SELECT zone FROM trips", [["west"]]],
  ["(SELECT zone FROM zones INTERSECT SELECT zone FROM trips) ORDER BY zone", [["north"], ["south"]]],
  [
    "SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b ORDER BY a",
    [
      [1, null],
      [null, 2],
    ],
  ],
  [
    "SELECT id, row_number() OVER (PARTITION BY zone ORDER BY id) r FROM trips QUALIFY r = 2 ORDER BY id",
    [
      ["3", "2"],
      ["4", "2"],
      ["5", "2"],
    ],
  ],
  [
    "SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM trips ORDER BY id LIMIT 2",
    [["0"], ["1"]],
  ],
  [
    "SELECT lag(id, 1, -1) OVER w, first_value(id) OVER w FROM trips WINDOW w AS (ORDER BY id) ORDER BY id LIMIT 1",
    [["-1", "0"]],
  ],
  [
    "SELECT count(*) FILTER (WHERE id < 10), sum(DISTINCT id % 3), string_agg(zone, ',' ORDER BY id) FILTER (id < 2) FROM trips",
    [["10", "3", "north,south"]],
  ],
  [
    "SELECT zone, grouping(zone), count(*) FROM trips GROUP BY ROLLUP (zone) ORDER BY 1 NULLS FIRST LIMIT 1",
    [[null, "1", "120"]],
  ],
  ["SELECT count(*) FROM (SELECT zone, rider FROM trips GROUP BY GROUPING SETS ((zone), (rider), ()))", [["8"]]],
  [
    "SELECT quantile_cont(id, 0.5), median(id), mode(zone), approx_count_distinct(zone), arg_max(zone, id) FROM trips WHERE id < 3",
    [[1, 1, "north", "3", "east"]],
  ],
  [
    "SELECT CASE WHEN id < 1 THEN 'low' ELSE 'high' END, CASE zone WHEN 'north' THEN 1 WHEN 'south' THEN 2 END FROM trips ORDER BY id LIMIT 1",
    [["low", 1]],
  ],
  [
    "SELECT id::VARCHAR || '!', CAST(fare AS DECIMAL(12, 3)), TRY_CAST('x' AS INTEGER), '7'::UTINYINT FROM trips WHERE id = 1",
    [["1!", "3.500", null, 7]],
  ],
  [
    "SELECT coalesce(rider, 'nobody'), nullif(zone, 'east'), ifnull(rider, '-'), if(id > 2, 1, 0), rider IS NULL FROM trips WHERE id = 3",
    [["nobody", "north", "-", 1, true]],
  ],
  [
    "SELECT date_trunc('month', started), extract(year FROM started), dayname(day), strftime(started, '%Y/%m') FROM trips WHERE id = 0",
    [["2024-01-01 00:00:00", "2024", "Monday", "2024/01"]],
  ],
  [
    "SELECT day + INTERVAL 1 MONTH, day - DATE '2023-12-31', date_diff('day', DATE '2024-01-01', day), last_day(day) FROM trips WHERE id = 0",
    [["2024-02-01 00:00:00", "1", "0", "2024-01-31"]],
  ],
  [
    "SELECT started AT TIME ZONE 'Europe/Berlin', time_bucket(INTERVAL 6 HOUR, started) FROM trips WHERE id = 0",
    [["2023-12-31 23:00:00+00", "2024-01-01 00:00:00"]],
  ],
  [
    "SELECT DATE '2024-02-29', TIMESTAMP '2024-01-01 10:00:00', TIME '10:00', INTERVAL '3 days'",
    [["2024-02-29", "2024-01-01 10:00:00", "10:00:00", { months: 0, days: 3, micros: "0" }]],
  ],
  [
    "SELECT upper('é') || lower('ß'), length('🔑'), substring('abc' FROM 2 FOR 1), trim(BOTH 'x' FROM 'xax'), position('b' IN 'abc'), replace('a', 'a', 'b')",
    [["Éß", "1", "b", "a", "2", "b"]],
  ],
  ["SELECT 'it''s', E'a\\tb', $$dollar 'quoted'$$, $t$ $$ $t$", [["it's", "a\tb", "dollar 'quoted'", " $$ "]]],
  [
    "SELECT zone LIKE 'n%', zone ILIKE 'N%', zone NOT LIKE 'a!_%' ESCAPE '!', zone GLOB 'n*', zone SIMILAR TO 'n.*', zone ~ 'north', zone ^@ 'no' FROM trips WHERE id = 0",
    [[true, true, true, true, true, true, true]],
  ],
  [
    "SELECT regexp_extract('a12', '([0-9]+)', 1), regexp_replace('aa', 'a', 'b', 'g'), split_part('a-b', '-', 2), string_split('a,b', ',')",
    [["12", "bb", "b", ["a", "b"]]],
  ],
  [
    "SELECT printf('%05.2f', 1.5), format('{:>4}', 'a'), lpad('7', 3, '0'), repeat('ab', 2), concat_ws('-', 1, 2)",
    [["01.50", "   a", "007", "abab", "1-2"]],
  ],
  [
    "SELECT abs(-1), round(1.256, 2), floor(1.5), 7 // 2, 7 % 4, 2 ** 3, 5!, 6 & 3, 1 << 3, greatest(1, 2), -(-2)",
    [[1, "1.26", "1", 3, 3, 8, "120", 2, 8, 2, 2]],
  ],
  [
    "SELECT legs[1], legs[1:1], len(legs), list_sum(legs), [x * 2 FOR x IN legs IF x > 0], list_contains(legs, 2) FROM trips WHERE id = 1",
    [["1", ["1"], "2", "3", ["2", "4"], true]],
  ],
  [
    "SELECT list_transform([1, 2], lambda x: x + 1), list_filter([1, 2], x -> x > 1), list_reduce([1, 2, 3], lambda a, b: a + b)",
    [[[2, 3], [2], 6]],
  ],
  ["SELECT unnest([1, 2]) AS u ORDER BY u", [[1], [2]]],
  ["SELECT count(*) FROM trips, unnest(legs) u(leg)", [["240"]]],
  [
    "SELECT count(*) FROM range(10) UNION ALL SELECT count(*) FROM generate_series(DATE '2024-01-01', DATE '2024-01-31', INTERVAL 1 DAY)",
    [["10"], ["31"]],
  ],
  [
    "SELECT d.day, count(t.id) FROM generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', INTERVAL 1 DAY) d(day) LEFT JOIN trips t ON t.day = d.day GROUP BY 1 ORDER BY 1 LIMIT 1",
    [["2024-01-01 00:00:00", "3"]],
  ],
  [
    "SELECT place.lat, place['lon'], struct_extract(place, 'lat'), {'a': 1}.a, (place).lat, struct_pack(k := 1) FROM trips WHERE id = 0",
    [[0, 0, 0, 1, 0, { k: 1 }]],
  ],
  ["SELECT map(['a'], [1])['a'], map_keys(MAP {'k': 1}), cardinality(MAP {'k': 1})", [[1, ["k"], "1"]]],
  [
    "SELECT details->'$.n', details->>'tags', json_extract_string(details, '$.tags[0]'), (details::JSON).n, json_array_length(details, 'tags') FROM trips WHERE id = 0",
    [["0", '["a","b"]', "a", "0", "2"]],
  ],
  ["SELECT key, value FROM json_each('{\"a\": 1}')", [["a", "1"]]],
  [
    "SELECT to_json({'a': [1]}), json_object('k', 1), json_group_array(id) FROM trips WHERE id < 2",
    [['{"a":[1]}', '{"k":1}', "[0,1]"]],
  ],
  [
    "SELECT * EXCLUDE (details, place, legs) REPLACE (id + 1 AS id) FROM trips WHERE id = 0",
    [["1", "Ada", "north", 0, "2024-01-01 00:00:00", "2024-01-01"]],
  ],
  ["SELECT * RENAME (short AS s) FROM zones WHERE zone = 'west'", [["west", "W", 30]]],
  [
    "SELECT COLUMNS('zo.*'), COLUMNS(c -> c = 'area'), zones.* FROM zones WHERE area = 10",
    [["north", 10, "north", "N", 10]],
  ],
  ["SELECT max(COLUMNS(*)) FROM zones", [["west", "W", 30]]],
  ["SELECT zones FROM zones WHERE area = 10", [[{ zone: "north", short: "N", area: 10 }]]],
  ["SELECT DISTINCT ON (zone) zone, id FROM trips ORDER BY zone, id LIMIT 1", [["east", "2"]]],
  ["SELECT id FROM trips ORDER BY id DESC NULLS LAST LIMIT 1 OFFSET 1", [["118"]]],
  ["SELECT count(*) FROM (SELECT * FROM trips LIMIT 50%)", [["60"]]],
  ["SELECT count(*) <= 10 FROM (FROM trips TABLESAMPLE reservoir(10 ROWS) REPEATABLE (1))", [[true]]],
  ["SELECT count(*) < 121 FROM trips t USING SAMPLE 50 PERCENT (bernoulli)", [[true]]],
  ["FROM zones PIVOT (sum(area) FOR short IN ('N', 'S') GROUP BY zone) ORDER BY zone LIMIT 1", [["north", "10", null]]],
  [
    "SELECT name, value FROM (SELECT 1 a, 2 b) UNPIVOT (value FOR name IN (a, b)) ORDER BY name",
    [
      ["a", 1],
      ["b", 2],
    ],
  ],
  ["SELECT x.upper(), ('b').upper().lower() FROM (SELECT 'a' x)", [["A", "b"]]],
  ['SELECT n: 1, 2 AS "select", #2 FROM zones WHERE area = 10', [[1, 2, "N"]]],
  ["SELECT z.zone, q.s FROM z: zones, (SELECT 1 s) AS q(s) WHERE false", []],
  ["SELECT 'a' COLLATE NOCASE = 'A', zone < 'O' COLLATE NOCASE FROM zones LIMIT 1", [[true, true]]],
  [
    "SELECT try('x'::INTEGER), typeof(1), hash(1) = hash(1), md5('a')",
    [[null, "INTEGER", true, "0cc175b9c0f1b6a831c399e269772661"]],
  ],
  [
    "SELECT count(*) FROM trips WHERE started BETWEEN TIMESTAMP '2024-01-01' AND TIMESTAMP '2024-01-01 05:00' AND NOT (zone = 'north' OR zone IS NOT DISTINCT FROM 'x')",
    [["4"]],
  ],
  ["SELECT count(*) FROM trips WHERE zone = $1 AND id < $2 OR id = $2", [["5"]], ["north", 10]],
  ["SELECT $1::INTEGER + $1::INTEGER, $2", [[6, null]], [3, null]],
  [
    "\ufeffSELECT\u00a0'a\u00a0b',\u3000\"zone\"\u2003FROM\u200b/*\u00a0*/ trips\u00a0WHERE\u202fid = 0",
    [["a\u00a0b", "north"]],
  ],
  ["SELECT count(*) FROM empty", [["0"]]],
  ["SELECT place.b FROM empty", []],
  ['SELECT x."a""b", "ключ 🔑" FROM "odd ""name"" 🔑" AS x', [[1, 2]]],
  ['SELECT t.id, T2."select" FROM trips t, Trips T2 WHERE t.id = 5', [["5", 3]]],
  ["SELECT 'é🔑', id FROM\ttrips\nWHERE id=2", [["é🔑", "2"]]],
  ['SELECT count(*) FROM"trips"WHERE true', [["120"]]],
  ['SELECT count(*) FROM trips"t"', [["120"]]],
  ["SELECT count(*) FROM (trips t JOIN zones USING (zone))", [["80"]]],
  ["SELECT current_date = today(), now() = now(), random() BETWEEN 0 AND 1", [[true, true, true]]],
];

describe("the SQL of analysts", () => {
  it.each(queries.map((query) => [query[0], query] as const))("runs %s", async (_, [sql, rows, parameters]) => {
    const answer = await reader.ask(sql, parameters ?? []);
    expect(answer.slice(0, Math.max(1, rows.length))).toEqual(rows);
  });
});
