import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderPlan } from "../../../src/engine/duckdb/render/render-plan.ts";
import type { ScalarFunction } from "../../../src/engine/plan.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import type { Expression, Filter, Scalar } from "../../../src/queries/model.ts";
import { planAggregate } from "../../../src/queries/planner.ts";
import type { DatasetSchema } from "../../../src/queries/schema.ts";
import { type CaseEngine, openCaseEngine } from "../../helpers/case-engine.ts";
import { aggregate } from "../../helpers/query-service.ts";

let engine: CaseEngine;
beforeAll(async () => {
  engine = await openCaseEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

const nasty = fc.oneof(
  fc.constantFrom(
    "'",
    '"',
    "''",
    '""',
    "\\",
    "--",
    "/*",
    "*/",
    ";",
    "$1",
    "?",
    "%",
    "_",
    "\n",
    "\t",
    "'); SELECT 1; --",
    '"; DROP TABLE t; --',
    "🐴",
    "\u202e",
    "e'\\'",
    "NULL",
    "t1.c0",
  ),
  fc.string({ unit: "binary", minLength: 1, maxLength: 12 }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
);
const texts = fc
  .array(nasty, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("").toWellFormed().replaceAll("\0", ""));
const names = texts.filter((text) => text !== "");

test("names and values of any text come back as they are", async () => {
  const values = fc.uniqueArray(texts, { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(names, names, values, fc.boolean(), async (column, alias, wanted, glob) => {
      fc.pre(column.toLowerCase() !== "other");
      const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
      const quoted = `"${column.replaceAll('"', '""')}"`;
      const list = wanted.map((value) => `(${literal(value)})`).join(", ");
      const version = await engine.version({
        name: "nasty",
        sql: `SELECT v AS ${quoted}, 1 AS other FROM (VALUES ${list}) AS t(v)`,
      });
      const [first = ""] = wanted;
      const special = /[*?]/.test(first);
      const filter: Filter = {
        kind: "all",
        filters: [
          { kind: "in", column, values: wanted },
          {
            kind: "any",
            filters: [
              { kind: "compare", column, op: "equal", value: first },
              { kind: "text", column, op: glob && !special ? "glob" : "contains", text: first, ignoreCase: false },
            ],
          },
        ],
      };
      const label: Expression = {
        kind: "call",
        fn: "concat",
        args: [
          { kind: "column", name: column },
          { kind: "literal", value: first },
        ],
      };
      const calculated = `${column} ${alias}`;
      const { query } = aggregate("nasty", {
        calculatedColumns: [{ name: calculated, expression: label }],
        dimensions: [{ column, alias }],
        measures: [{ op: "max", column: calculated, alias: `${alias}2` }],
        filter,
      });
      const { plan } = planAggregate(query, version);
      const result = await engine.run(renderPlan(plan, () => version));
      expect(result.columns.map(({ name }) => name)).toEqual([alias, `${alias}2`]);
      const found = new Map(result.rows.map(([value, joined]) => [value, joined]));
      const expected = wanted.filter((value) => (glob && !special ? value === first : value.includes(first)));
      expect([...found].sort()).toEqual(expected.map((value) => [value, value + first]).sort());
    }),
    { numRuns: 100 },
  );
}, 300_000);

test("a name with U+0000, which no statement can hold, is refused", () => {
  const schema: DatasetSchema = {
    dataset: "a",
    version: 1,
    columns: [{ name: "a", type: "INTEGER", kind: "integer" }],
  };
  const { query } = aggregate("a", { dimensions: [{ column: "a", alias: "x\0y" }] });
  const { plan } = planAggregate(query, schema);
  expect(() => renderPlan(plan, () => ({ ...schema, segmentPaths: [] }))).toThrow(DriverError);
});

const schema: DatasetSchema = {
  dataset: "a",
  version: 1,
  columns: [
    { name: "i", type: "INTEGER", kind: "integer" },
    { name: "u", type: "UHUGEINT", kind: "integer" },
    { name: "e", type: "DECIMAL(38,20)", kind: "decimal" },
    { name: "f", type: "FLOAT", kind: "float" },
    { name: "s", type: "VARCHAR", kind: "text" },
    { name: "j", type: "JSON", kind: "text" },
    { name: "d", type: "DATE", kind: "date" },
    { name: "t", type: "TIMESTAMP_NS", kind: "timestamp" },
    { name: "z", type: "TIMESTAMP WITH TIME ZONE", kind: "timestampTz" },
    { name: "c", type: "TIME WITH TIME ZONE", kind: "time" },
    { name: "b", type: "BOOLEAN", kind: "boolean" },
    { name: "y", type: "BLOB", kind: "binary" },
    { name: "v", type: "INTERVAL", kind: "interval" },
    { name: "l", type: "STRUCT(a INTEGER[])", kind: "nested" },
    { name: "o", type: "UUID", kind: "other" },
  ],
};
const columns = fc.constantFrom(...schema.columns.map(({ name }) => name), "unknown", "");
const scalars: fc.Arbitrary<Scalar> = fc.oneof(
  fc.constantFrom<Scalar>(
    null,
    true,
    "1e999",
    "-0",
    "Infinity",
    "0x10",
    "2024-02-30",
    "24:00:00",
    "1".repeat(60),
    "infinity",
    "+",
    ".",
    "1e-400",
  ),
  fc.double(),
  fc.integer(),
  fc.string(),
);
const functions = fc.constantFrom<ScalarFunction>(
  "add",
  "subtract",
  "multiply",
  "divide",
  "modulo",
  "negate",
  "equal",
  "less",
  "and",
  "or",
  "not",
  "isNull",
  "coalesce",
  "nullIf",
  "least",
  "abs",
  "round",
  "floor",
  "sqrt",
  "power",
  "lower",
  "length",
  "substring",
  "concat",
  "replace",
  "startsWith",
  "year",
  "hour",
  "secondsBetween",
  "daysBetween",
  "toText",
  "toDouble",
  "toInteger",
  "toDate",
  "toTimestamp",
);
const expressions: fc.Arbitrary<Expression> = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    fc.record({ kind: fc.constant("column" as const), name: columns }),
    fc.record({
      kind: fc.constant("literal" as const),
      value: scalars,
      type: fc.constantFrom(
        "BIGINT",
        "DECIMAL(3,1)",
        "DATE",
        "TIMESTAMPTZ",
        "VARCHAR",
        "UUID",
        "nonsense",
        "DECIMAL(99,1)",
      ),
    }),
    fc.record({ kind: fc.constant("literal" as const), value: scalars }),
    fc.record({
      kind: fc.constant("call" as const),
      fn: functions,
      args: fc.array(tie("expression"), { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("case" as const),
      branches: fc.array(fc.record({ when: tie("expression"), value: tie("expression") }), {
        minLength: 1,
        maxLength: 2,
      }),
    }),
  ),
})).expression;
const filters: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    kind: fc.constant("compare" as const),
    column: columns,
    op: fc.constantFrom("equal" as const, "less" as const),
    value: scalars,
  }),
  fc.record({ kind: fc.constant("in" as const), column: columns, values: fc.array(scalars) }),
  fc.record({
    kind: fc.constant("range" as const),
    column: columns,
    from: scalars,
    fromExclusive: fc.boolean(),
    toExclusive: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("text" as const),
    column: columns,
    op: fc.constant("glob" as const),
    text: fc.string(),
    ignoreCase: fc.boolean(),
  }),
);

test("whatever is asked, the planner plans it in types that the engine agrees with, or throws a DriverError", async () => {
  const version = { ...schema, segmentPaths: [] };
  await fc.assert(
    fc.asyncProperty(expressions, filters, expressions, async (expression, filter, measure) => {
      const { query } = aggregate("a", {
        calculatedColumns: [{ name: "calculated", expression }],
        dimensions: [{ column: "calculated" }],
        measures: [
          { op: "count", alias: "i" },
          { op: "min", column: "f", alias: "f" },
          { op: "max", column: "s", alias: "s" },
          { op: "sum", column: "e", alias: "e" },
        ],
        calculatedMeasures: [{ name: "m", expression: measure }],
        filter,
      });
      let planned: ReturnType<typeof planAggregate>;
      try {
        planned = planAggregate(query, version);
      } catch (error) {
        if (!(error instanceof DriverError)) throw error;
        expect(error.code).toBe(3);
        expect(error.violations.length).toBe(1);
        return;
      }
      try {
        const result = await engine.run(renderPlan(planned.plan, () => version));
        expect(result.columns, JSON.stringify(query)).toEqual(planned.columns);
      } catch (error) {
        // Constants may be computed before any row, and overflow then; all else is a statement that should not be.
        if (!(error instanceof DriverError) || !/overflow|out of range|convert|cast/i.test(error.message)) throw error;
      }
    }),
    { numRuns: 1500 },
  );
}, 300_000);
