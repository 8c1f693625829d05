import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { type LockedReader, openLockedReader, SECRET } from "../../helpers/locked-reader.ts";

let reader: LockedReader;
beforeAll(async () => {
  reader = await openLockedReader();
});
afterAll(() => reader[Symbol.asyncDispose]());

/** Ways out of the sandbox; OUT and IN stand for a file outside and one beside the segments, DIR for the folder outside. */
const escapes: readonly string[] = [
  // Files as table functions
  "SELECT * FROM read_csv('OUT')",
  "SELECT * FROM read_csv('IN')",
  "SELECT * FROM read_csv_auto('OUT', header = true)",
  "SELECT * FROM read_text('OUT')",
  "SELECT content FROM read_blob('OUT')",
  "SELECT * FROM read_json('OUT', format = 'auto')",
  "SELECT * FROM read_json_objects('OUT')",
  "SELECT * FROM read_ndjson_auto('OUT')",
  "SELECT * FROM read_parquet('IN')",
  "SELECT * FROM read_parquet(['OUT', 'IN'])",
  "SELECT * FROM parquet_scan('IN')",
  "SELECT * FROM parquet_metadata('IN')",
  "SELECT * FROM parquet_schema('IN')",
  "SELECT * FROM parquet_kv_metadata('IN')",
  "SELECT * FROM parquet_file_metadata('IN')",
  "SELECT * FROM parquet_bloom_probe('IN', 'id', 1)",
  "SELECT * FROM read_duckdb('OUT', table_name = 't')",
  "SELECT * FROM sniff_csv('OUT')",
  "SELECT * FROM glob('DIR/*')",
  "SELECT * FROM read_text(['OUT'])",
  "FROM read_text('DIR/*')",
  "FROM READ_TEXT('OUT')",
  "FROM \"read_text\"('OUT')",
  "FROM main.read_text('OUT')",
  "FROM system.main.read_text('OUT')",
  "SELECT * FROM trips, LATERAL (FROM read_text('OUT'))",
  "SELECT (SELECT content FROM read_text('OUT'))",
  "SELECT * FROM trips WHERE zone IN (SELECT content FROM read_text('OUT'))",
  "WITH x AS (FROM read_text('OUT')) FROM x",
  "WITH x AS MATERIALIZED (FROM read_text('OUT')) SELECT 1",
  "SELECT 1 UNION ALL SELECT content FROM read_text('OUT')",
  "WITH RECURSIVE r AS (SELECT 'a' c UNION ALL SELECT content FROM read_text('OUT'), r) FROM r",
  "SELECT 1 ORDER BY (SELECT content FROM read_text('OUT'))",
  "SELECT 1 LIMIT (SELECT length(content) FROM read_text('OUT'))",
  "SELECT 1 OFFSET (SELECT length(content) FROM read_text('OUT'))",
  "SELECT count(*) FROM trips GROUP BY (SELECT content FROM read_text('OUT'))",
  "SELECT count(*) FROM trips HAVING (SELECT content FROM read_text('OUT')) = 'x'",
  "SELECT id FROM trips QUALIFY row_number() OVER (ORDER BY (SELECT content FROM read_text('OUT'))) = 1",
  "SELECT sum(id) OVER (PARTITION BY (SELECT content FROM read_text('OUT'))) FROM trips",
  "SELECT sum(id) FILTER (WHERE (SELECT content FROM read_text('OUT')) = '') FROM trips",
  "SELECT string_agg(zone ORDER BY (SELECT content FROM read_text('OUT'))) FROM trips",
  "SELECT lag(id, (SELECT 1 FROM read_text('OUT'))) OVER () FROM trips",
  "SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN (SELECT 1 FROM read_text('OUT')) PRECEDING AND CURRENT ROW) FROM trips",
  "SELECT DISTINCT ON ((SELECT content FROM read_text('OUT'))) id FROM trips",
  "SELECT * FROM trips t JOIN zones z ON (SELECT content FROM read_text('OUT')) = t.zone",
  "VALUES ((SELECT content FROM read_text('OUT')))",
  "SELECT * REPLACE ((SELECT content FROM read_text('OUT')) AS zone) FROM zones",
  "SELECT list_transform([1], lambda x: (SELECT content FROM read_text('OUT')))",
  "SELECT CASE WHEN true THEN (SELECT content FROM read_text('OUT')) END",
  "SELECT [(SELECT content FROM read_text('OUT'))][1]",
  "SELECT {'a': (SELECT content FROM read_text('OUT'))}",
  "SELECT ARRAY(SELECT content FROM read_text('OUT'))",
  "SELECT TRY((SELECT content FROM read_text('OUT')))",
  "SELECT CAST((SELECT content FROM read_text('OUT')) AS JSON)",
  "FROM unnest((SELECT [content] FROM read_text('OUT')))",
  "FROM (SELECT 1 a) PIVOT (max((SELECT content FROM read_text('OUT'))) FOR a IN (1))",
  "FROM read_text('OUT') PIVOT (max(content) FOR size IN (1))",
  // Files as table names
  "SELECT * FROM 'OUT'",
  "FROM 'IN'",
  'SELECT * FROM main."OUT"',
  'WITH "OUT" AS (SELECT 1) SELECT * FROM "OUT"',
  'SELECT * FROM (WITH "IN" AS (SELECT 1) SELECT 1), "IN"',
  "SELECT * FROM 'DIR/*.csv'",
  "SELECT * FROM 'file://OUT'",
  "SELECT * FROM 'https://localhost/x.csv'",
  "SELECT * FROM 's3://bucket/x.parquet'",
  // Queries and tables named by text
  "FROM query('FROM read_text(''OUT'')')",
  "FROM query_table('OUT')",
  "FROM query_table(['trips', 'zones'])",
  "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
  "SELECT json_serialize_sql('SELECT 1')",
  "SELECT json_deserialize_sql('{}')",
  "SELECT json_serialize_plan('FROM duckdb_settings()')",
  "FROM histogram(trips, id)",
  "FROM histogram_values(trips, id)",
  "FROM summary((FROM trips))",
  "SELECT list_aggregate([1], 'sum')",
  "SELECT list_aggr([1], 'sum')",
  "SELECT array_aggregate([1], 'sum')",
  "SELECT aggregate([1], 'sum')",
  "EXECUTE p",
  "PREPARE p AS SELECT 1",
  "SELECT $name",
  // Settings, environment, variables, sequences, session
  "SELECT getenv('HOME')",
  "SELECT current_setting('temp_directory')",
  "SELECT getvariable('x')",
  "SELECT nextval('s')",
  "SELECT currval('s')",
  "SELECT setseed(0.5)",
  "SELECT current_query()",
  "SELECT current_database(), current_schemas(true)",
  "SELECT current_schema()",
  "SELECT txid_current()",
  "SELECT version()",
  "SELECT pg_catalog.version()",
  "SELECT pg_sleep(0)",
  "SELECT sleep_ms(0)",
  "SELECT write_log('x')",
  "SELECT get_block_size('memory')",
  "SELECT in_search_path('memory', 'main')",
  "SELECT icu_sort_key('a', 'de')",
  "SELECT stats(id) FROM trips",
  "SELECT parse_duckdb_log_message('FileSystem', 'x')",
  "SET threads = 1",
  "SET VARIABLE x = 1",
  "RESET threads",
  "SET enable_external_access = true",
  "SET GLOBAL lock_configuration = false",
  "SET allowed_directories = ['/']",
  "SET temp_directory = 'DIR'",
  "SET search_path = 'system'",
  "SET home_directory = 'DIR'",
  "SET extension_directory = 'DIR'",
  "SET profile_output = 'DIR/profile.json'",
  "SET log_query_path = 'DIR/queries.log'",
  "SET file_search_path = 'DIR'",
  "PRAGMA threads = 1",
  "PRAGMA enable_profiling = 'no_output'",
  "PRAGMA database_list",
  "PRAGMA version",
  "PRAGMA table_info('trips')",
  "CALL pragma_version()",
  // Catalog
  "FROM duckdb_settings",
  "FROM duckdb_settings()",
  "FROM duckdb_tables",
  "FROM duckdb_databases()",
  "FROM duckdb_secrets()",
  "FROM duckdb_functions()",
  "FROM duckdb_logs",
  "FROM duckdb_external_file_cache()",
  "FROM duckdb_temporary_files()",
  "FROM duckdb_prepared_statements()",
  "FROM duckdb_variables()",
  "FROM DUCKDB_COLUMNS",
  'FROM "duckdb_schemas"',
  "FROM pg_class",
  "FROM pg_catalog.pg_tables",
  "FROM pg_timezone_names()",
  "FROM information_schema.tables",
  "FROM information_schema.columns c JOIN trips ON true",
  "FROM sqlite_master",
  "FROM system.main.sqlite_master",
  "FROM system.information_schema.tables",
  "FROM pragma_database_list",
  "FROM pragma_database_size()",
  "FROM pragma_show('x')",
  "FROM pragma_table_info('trips')",
  "FROM pragma_storage_info('trips')",
  "FROM resident.main.t",
  'FROM "resident_zones@1".main.rows',
  'SELECT * FROM "resident_zones@1".rows',
  "FROM main.trips",
  "FROM temp.trips",
  "FROM which_secret('s3://x', 's3')",
  "WITH duckdb_tables AS (SELECT 1) FROM duckdb_tables",
  "SELECT (SELECT count(*) FROM duckdb_tables)",
  "SELECT x::regclass FROM (SELECT 'a' x)",
  "SELECT 'a'::main.t",
  "SELECT CAST('a' AS mood)",
  "SHOW TABLES",
  "SHOW DATABASES",
  "SHOW ALL TABLES",
  "DESCRIBE trips",
  "SUMMARIZE trips",
  "FROM (DESCRIBE trips)",
  "FROM (SUMMARIZE 'OUT')",
  "FROM (SHOW TABLES)",
  // Statements
  "CREATE TABLE x AS SELECT 1",
  "CREATE VIEW x AS FROM read_text('OUT')",
  "CREATE MACRO f() AS 1",
  "CREATE TEMP TABLE trips AS FROM read_text('OUT')",
  "CREATE SECRET s (TYPE http)",
  "CREATE SEQUENCE s",
  "CREATE TYPE mood AS ENUM (SELECT content FROM read_text('OUT'))",
  "CREATE SCHEMA x",
  "INSERT INTO trips VALUES (1)",
  "UPDATE trips SET id = 1",
  "DELETE FROM trips",
  "MERGE INTO trips USING zones ON true WHEN MATCHED THEN DELETE",
  "TRUNCATE trips",
  "DROP TABLE trips",
  "ALTER TABLE trips ADD COLUMN x INT",
  "COMMENT ON TABLE trips IS 'x'",
  "COPY trips TO 'DIR/copied.csv'",
  "COPY (SELECT 1) TO 'DIR/copied.csv'",
  "COPY (SELECT 1) TO 'DIR/copied.parquet' (FORMAT parquet)",
  "COPY (SELECT content FROM read_text('OUT')) TO 'DIR/copied.csv'",
  "COPY x FROM 'OUT'",
  "EXPORT DATABASE 'DIR/exported'",
  "IMPORT DATABASE 'DIR'",
  "ATTACH 'DIR/other.db' AS other",
  "ATTACH 'OUT' AS other (TYPE sqlite)",
  'DETACH "resident_zones@1"',
  "USE system",
  "LOAD 'DIR/x.duckdb_extension'",
  "INSTALL httpfs",
  "LOAD httpfs",
  "UPDATE EXTENSIONS",
  "BEGIN",
  "COMMIT",
  "CHECKPOINT",
  "FORCE CHECKPOINT",
  "VACUUM",
  "ANALYZE",
  "EXPLAIN SELECT 1",
  "EXPLAIN ANALYZE FROM read_text('OUT')",
  "SELECT * INTO x FROM trips",
  "SELECT * FROM trips FOR UPDATE",
  "PIVOT trips ON zone USING count(*)",
  "FROM (PIVOT trips ON zone USING count(*))",
  "FROM trips AT (VERSION => 1)",
  "FROM trips AT (TIMESTAMP => now())",
  "TABLE trips",
  "FROM (INSERT INTO trips VALUES (1) RETURNING *)",
  "WITH x AS (INSERT INTO trips VALUES (1) RETURNING *) FROM x",
  "WITH x AS (DELETE FROM trips RETURNING *) FROM x",
  // Several statements, comments, quoting
  "SELECT 1; SELECT 2",
  "SELECT 1; FROM read_text('OUT')",
  "; ; SELECT 1; COPY (SELECT 1) TO 'DIR/copied.csv'",
  "SELECT 1 /* ; */ ; -- \n DROP TABLE trips",
  "",
  "   ",
  ";",
  "-- nothing",
  "/* SELECT 1 */",
  "/* unfinished",
  "SELECT 1 /* /* nested */ FROM read_text('OUT')",
  "SELECT /**/*/**/FROM/**/read_text/**/('OUT')",
  "SELECT * FROM --\nread_text('OUT')",
  "SELECT 1\0; FROM read_text('OUT')",
  "SELECT '\ud800' FROM trips",
  "SELECT 'unfinished",
  'SELECT "unfinished',
  "SELECT $a$ unfinished",
  "SELECT E'\\'' , content FROM read_text('OUT') --'",
  "SELECT U&'\\0027' FROM U&\"read_text\"('OUT')",
  "SELECT\u00a0*\u2003FROM\u3000read_text('OUT')",
  "ſELECT * FROM read_text('OUT')",
  "SELECT * FROM trips') UNION ALL (FROM read_text('OUT')",
  "SELECT 1) AS x, (FROM read_text('OUT')",
];

/** Run unchecked, it makes every later statement of the instance fail. */
const wrecking = "CALL enable_logging(storage = 'file', storage_path = 'DIR/log.csv')";

function prepared(sql: string, { outsideFile, insideFile, folder }: LockedReader): string {
  return sql
    .replaceAll("OUT", outsideFile)
    .replaceAll(/IN(?=['"])/g, insideFile)
    .replaceAll("DIR", folder);
}

describe("the sandbox", () => {
  it.each([...escapes, wrecking].map((sql) => [sql]))("refuses %j", async (sql) => {
    const thrown = await reader.ask(prepared(sql, reader)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(DriverError);
    expect(["SQL_FORBIDDEN", "SQL_INVALID"]).toContain((thrown as DriverError).reason);
  });

  it("takes a file's name in double quotes for a dataset's", async () => {
    await expect(reader.ask(`SELECT * FROM "${reader.outsideFile}"`)).rejects.toThrow(
      "no version was given for dataset",
    );
  });
});

async function runUnchecked(sql: string, locked: LockedReader): Promise<void> {
  const before = await readdir(locked.folder);
  using connection = await locked.connect();
  // Files beside the segments can be read without the check: what is inside must hold no secrets.
  const text = prepared(sql, locked).replaceAll(locked.insideFile, join(locked.folder, "absent.csv"));
  const rows = await connection.run(text, [], { signal: AbortSignal.timeout(30_000) }).then(
    (result) => result.getRowsJson(),
    (error: unknown) => String(error),
  );
  expect(JSON.stringify(rows)).not.toContain(SECRET);
  expect(await readdir(locked.folder)).toEqual(before);
}

describe("the locked instance", () => {
  it.each(escapes.map((sql) => [sql]))("gives no file away and writes none, even unchecked, by %j", async (sql) => {
    await runUnchecked(sql, reader);
  });

  it("would give away a file beside the segments to a statement that was not checked", async () => {
    using connection = await reader.connect();
    const result = await connection.raw.runAndReadAll(prepared("SELECT content FROM read_text('IN')", reader));
    expect(JSON.stringify(result.getRowsJson())).toContain(SECRET);
  });

  it("keeps its settings, but for those that each connection sets for itself", async () => {
    using connection = await reader.connect();
    for (const [setting, value] of [
      ["threads", "1"],
      ["memory_limit", "'1TB'"],
      ["allowed_configs", "['threads']"],
      ["TimeZone", "'Europe/Berlin'"],
      ["enable_profiling", "'json'"],
      ["max_expression_depth", "100000"],
    ])
      await expect(connection.raw.run(`SET ${setting} = ${value}`)).rejects.toThrow(
        "the configuration has been locked",
      );
    await connection.raw.run("SET enable_progress_bar = true");
  });

  it("writes no log file, even unchecked", async () => {
    await using other = await openLockedReader();
    await runUnchecked(wrecking, other);
  });
});
