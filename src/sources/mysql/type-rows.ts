import type { SourceTypes } from "../database/source-type.ts";

/** What becomes of the types of MySQL and MariaDB; `columnTypeOf` does it, test/integration/sources/mysql-types.test.ts shows it. */
export const mysqlTypes: SourceTypes = {
  name: "MySQL and MariaDB",
  rows: [
    {
      source: "`TINYINT`, also `TINYINT(1)` and `BOOL`",
      column: "`TINYINT`",
      note: "A `TINYINT(1)` holds -128 to 127.",
    },
    { source: "`SMALLINT`", column: "`SMALLINT`", note: "" },
    { source: "`MEDIUMINT`, `INT`", column: "`INTEGER`", note: "" },
    { source: "`BIGINT`", column: "`BIGINT`", note: "" },
    {
      source: "the same with `UNSIGNED`",
      column: "`UTINYINT`, `USMALLINT`, `UINTEGER`, `UBIGINT`",
      note: "`ZEROFILL` changes nothing.",
    },
    { source: "`DECIMAL(p,s)`, p up to 38", column: "`DECIMAL(p,s)`", note: "" },
    {
      source: "`DECIMAL(p,s)`, p from 39 to 65",
      column: "`VARCHAR`",
      note: "With all digits, and a warning. `types=amount=DECIMAL(38,10)` makes numbers of it, or an error where one does not fit.",
    },
    {
      source: "`FLOAT`",
      column: "`FLOAT`",
      note: "Read as a DOUBLE, since the servers' text of a FLOAT has six digits only.",
    },
    { source: "`DOUBLE`", column: "`DOUBLE`", note: "The same bits." },
    { source: "`BIT(1)`", column: "`BOOLEAN`", note: "" },
    { source: "`BIT(n)`", column: "`UBIGINT`", note: "" },
    { source: "`YEAR`", column: "`SMALLINT`", note: "" },
    { source: "`DATE`", column: "`DATE`", note: "Zero dates: see below." },
    { source: "`DATETIME(n)`", column: "`TIMESTAMP`", note: "Zero dates: see below." },
    {
      source: "`TIMESTAMP(n)`",
      column: "`TIMESTAMP WITH TIME ZONE`",
      note: "The instant, whatever the server's time zone is. Zero dates: see below.",
    },
    {
      source: "`TIME(n)`",
      column: "`TIME`",
      note: "Below 00:00:00 or beyond 24:00:00 an error that says what would help: `times=seconds` makes the column a `DECIMAL` of seconds, `times=text` keeps the text.",
    },
    {
      source: "`CHAR`, `VARCHAR`, `TEXT` and its relatives",
      column: "`VARCHAR`",
      note: "From every character set. An empty text is not NULL; U+0000 and spaces at the end stay.",
    },
    { source: "`ENUM`", column: "`VARCHAR`", note: "The empty text for a value that was refused." },
    { source: "`SET`", column: "`VARCHAR`", note: "With commas between: `a,c`." },
    { source: "`JSON`", column: "`JSON`", note: "The server's text." },
    { source: "`BINARY`, `VARBINARY`, `BLOB` and its relatives", column: "`BLOB`", note: "" },
    {
      source: "`GEOMETRY` and its relatives",
      column: "`BLOB`",
      note: "Four bytes of SRID, then WKB. A query with `ST_AsText` gives texts.",
    },
    { source: "`UUID` (MariaDB)", column: "`UUID`", note: "" },
    { source: "`INET4`, `INET6` (MariaDB)", column: "`VARCHAR`", note: "" },
    { source: "`VECTOR`", column: "`BLOB`", note: "Its numbers as 32-bit floats, as they lie." },
  ],
  notes: [
    "Dates that no calendar has (`0000-00-00`, `2024-00-10`, and `2024-02-31` under `ALLOW_INVALID_DATES`) fail the load, and the error names the column. `zeroDates=null` makes them NULL, `zeroDates=text` keeps all columns of dates and times as texts, and `types=day=VARCHAR` one of them.",
    "The session runs in UTC, UTF-8 and its own `sql_mode` without `PAD_CHAR_TO_FULL_LENGTH` and `NO_BACKSLASH_ESCAPES`; `NOW()` and the like in a query are in UTC as well.",
    "A load's `filter` runs in the database and compares what is loaded: texts by each character whatever their collation is, and columns as the types that `types` declares, as far as the server can. Columns that value parsers make can't be filtered.",
  ],
};
