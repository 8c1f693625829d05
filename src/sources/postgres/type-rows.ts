import type { SourceTypes } from "../database/source-type.ts";

/** What becomes of PostgreSQL's types; `mapType` does it, test/integration/sources/postgres-types.test.ts shows it. */
export const postgresTypes: SourceTypes = {
  name: "PostgreSQL",
  rows: [
    { source: "`boolean`", column: "`BOOLEAN`", note: "" },
    { source: "`smallint`, `integer`, `bigint`", column: "`SMALLINT`, `INTEGER`, `BIGINT`", note: "" },
    { source: "`oid`, `xid`, `cid`; `xid8`", column: "`UINTEGER`; `UBIGINT`", note: "" },
    {
      source: "`real`, `double precision`",
      column: "`FLOAT`, `DOUBLE`",
      note: "The same bits; NaN and infinities too.",
    },
    {
      source: "`numeric(p,s)`, p up to 38",
      column: "`DECIMAL(p,s)`",
      note: "Negative scales and scales above p give the DECIMAL that holds them. With a NaN among the values: `DOUBLE` up to 15 digits, else `VARCHAR` with a warning.",
    },
    {
      source: "`numeric` without limits, or p above 38",
      column: "`DECIMAL(18,s)` or `DECIMAL(38,s)`",
      note: "As many digits as the values have; the database is asked for them before the load. With NaN, infinities or more than 38 digits: `VARCHAR` with a warning.",
    },
    { source: "`money`", column: "`DECIMAL(19,s)`", note: "s as the database's currency has it." },
    {
      source: "`date`",
      column: "`DATE`",
      note: "Infinities and years before 1 too.",
    },
    {
      source: "`timestamp`, `timestamptz`",
      column: "`TIMESTAMP`, `TIMESTAMP WITH TIME ZONE`",
      note: "Microseconds, infinities and years before 1 too. The last 30 years of PostgreSQL's range, from 294247 on, are an error.",
    },
    { source: "`time`", column: "`TIME`", note: "`24:00:00` too." },
    { source: "`timetz`", column: "`VARCHAR`", note: "`12:00:00+02`: the zone would be lost otherwise." },
    {
      source: "`interval`",
      column: "`VARCHAR`",
      note: "ISO 8601, `P1Y2M3DT4H5M6.000007S`: segments keep milliseconds only.",
    },
    { source: "`uuid`", column: "`UUID`", note: "" },
    { source: "`bytea`", column: "`BLOB`", note: "" },
    {
      source: "`text`, `varchar`, `char(n)`, `name`, `citext`",
      column: "`VARCHAR`",
      note: "`char(n)` with its spaces. An empty text is not NULL.",
    },
    {
      source: "`jsonb`, `json`",
      column: "`JSON`",
      note: "The database's text. A `json` column that holds escapes of half characters (`\\ud83d`) is `VARCHAR`.",
    },
    { source: "enumerations", column: "`VARCHAR`", note: "" },
    { source: "domains", column: "as the type below them", note: "" },
    {
      source: "arrays",
      column: "`T[]`, `T[][]`, …",
      note: "Of the element's type; of `VARCHAR` for `bytea`, `json` and `money`. Arrays that differ in their dimensions or do not begin at 1 make the column `VARCHAR`, with a warning.",
    },
    {
      source:
        "`bit`, `varbit`, `inet`, `cidr`, `macaddr`, ranges, composite types, geometry, `xml`, `tsvector`, `hstore` and all others",
      column: "`VARCHAR`",
      note: "As PostgreSQL writes them.",
    },
  ],
  notes: [
    "The server converts what `types` declares; `price=DECIMAL(18,2)` rounds as the server does.",
    "Times are written in UTC, numbers with all the digits that tell them apart, whatever the server's settings are.",
    "A load's `filter` runs in the database and compares what is loaded: texts by each character whatever their collation is, and columns as the types that `types` declares. Columns that value parsers make can't be filtered.",
  ],
};
