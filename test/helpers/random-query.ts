import fc from "fast-check";
import type { AggregateQuery, ComparisonOp, Dimension, Filter, Measure, Scalar } from "../../src/queries/model.ts";
import { type Columns, measureName } from "./brute-force.ts";

export const randomColumns: Columns = {
  k: { kind: "text", scale: 0 },
  s: { kind: "text", scale: 0 },
  n: { kind: "integer", scale: 0 },
  x: { kind: "float", scale: 0 },
  e: { kind: "decimal", scale: 2 },
  b: { kind: "boolean", scale: 0 },
  d: { kind: "date", scale: 0 },
};

const TYPES: Readonly<Record<string, string>> = {
  k: "VARCHAR",
  s: "VARCHAR",
  n: "BIGINT",
  x: "DOUBLE",
  e: "DECIMAL(12,2)",
  b: "BOOLEAN",
  d: "DATE",
};

const texts = fc.constantFrom("a", "B", "b", "", "%", "a_b", "a*b", "🐴", "Ä", "'; --", "zz");
const whole = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.constantFrom(4_000_000_000, -4_000_000_000));

/** A value of a column, as JSON, never null. */
function valuesOf(column: string): fc.Arbitrary<Exclude<Scalar, null>> {
  switch (column) {
    case "n":
      return whole;
    // Multiples of a power of two have sums that don't depend on the order.
    case "x":
      return fc.oneof(
        fc.integer({ min: -40, max: 40 }).map((value) => value / 4),
        fc.constantFrom("NaN", "Infinity", "-Infinity"),
      );
    case "e":
      return fc.integer({ min: -500, max: 500 }).map((value) => (value / 100).toFixed(2));
    case "b":
      return fc.boolean();
    case "d":
      return fc.integer({ min: -400, max: 400 }).map((days) => new Date(days * 86_400_000).toISOString().slice(0, 10));
    default:
      return texts;
  }
}

const columnNames = fc.constantFrom(...Object.keys(randomColumns));

/** A SELECT of random rows. */
export const randomData: fc.Arbitrary<string> = fc
  .array(
    fc.record(
      Object.fromEntries(Object.keys(randomColumns).map((name) => [name, fc.option(valuesOf(name), { freq: 5 })])),
    ),
    { maxLength: 30 },
  )
  .map((rows) => {
    const literal = (value: unknown) => (value === null ? "NULL" : `'${String(value).replaceAll("'", "''")}'`);
    const row = (cells: Record<string, unknown>) =>
      `SELECT ${Object.keys(TYPES)
        .map((name) => `${literal(cells[name])}::${TYPES[name]} AS ${name}`)
        .join(", ")}`;
    const empty = `${row({})} WHERE false`;
    return rows.length === 0 ? empty : rows.map(row).join(" UNION ALL ");
  });

const comparisonOps = fc.constantFrom<ComparisonOp>(
  "equal",
  "notEqual",
  "less",
  "lessOrEqual",
  "greater",
  "greaterOrEqual",
);

function leaf(column: string): fc.Arbitrary<Filter> {
  const value = valuesOf(column);
  const optional = fc.option(value, { nil: undefined });
  const general: fc.Arbitrary<Filter>[] = [
    fc.record({ kind: fc.constant("isNull" as const), column: fc.constant(column) }),
    fc.record({ kind: fc.constant("compare" as const), column: fc.constant(column), op: comparisonOps, value }),
    fc.record({
      kind: fc.constant("in" as const),
      column: fc.constant(column),
      values: fc.array(fc.option(value), { maxLength: 25 }),
    }),
    fc
      .record({ from: optional, to: optional, fromExclusive: fc.boolean(), toExclusive: fc.boolean() })
      .map(({ from, to, ...ends }) => ({
        kind: "range" as const,
        column,
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
        ...ends,
      })),
  ];
  if (column !== "k" && column !== "s") return fc.oneof(...general);
  const op = fc.constantFrom<"contains" | "startsWith" | "endsWith" | "glob">(
    "contains",
    "startsWith",
    "endsWith",
    "glob",
  );
  const text = fc.oneof(texts, fc.constantFrom("*", "a*", "?", "*b", "\\"));
  return fc.oneof(
    ...general,
    fc.record({ kind: fc.constant("text" as const), column: fc.constant(column), op, text, ignoreCase: fc.boolean() }),
  );
}

const filters: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    columnNames.chain(leaf),
    fc.record({
      kind: fc.constantFrom<"all" | "any">("all", "any"),
      filters: fc.array(tie("filter"), { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant("not" as const), filter: tie("filter") }),
  ),
})).filter;

const dimensions: fc.Arbitrary<Dimension> = columnNames.chain((column) => {
  const weekStart = fc.integer({ min: 1, max: 7 });
  const buckets: fc.Arbitrary<Dimension["bucket"]>[] = [fc.constant(undefined)];
  if (column === "d") {
    buckets.push(
      fc.record({
        kind: fc.constant("grain" as const),
        unit: fc.constantFrom<"month" | "week">("month", "week"),
        weekStart,
      }),
    );
    buckets.push(
      fc.record({
        kind: fc.constant("part" as const),
        part: fc.constantFrom<"dayOfWeek" | "monthOfYear">("dayOfWeek", "monthOfYear"),
        weekStart,
      }),
    );
  }
  if (column === "n" || column === "e")
    buckets.push(
      fc.record({
        kind: fc.constant("bin" as const),
        width: fc.integer({ min: 1, max: 9 }),
        origin: fc.integer({ min: -5, max: 5 }),
      }),
    );
  return fc.oneof(...buckets).map((bucket) => ({ column, ...(bucket && { bucket }) }));
});

const measures: fc.Arbitrary<Measure> = fc.oneof(
  fc.constant<Measure>({ op: "count" }),
  fc.record({ op: fc.constantFrom<Measure["op"]>("count", "countDistinct", "min", "max"), column: columnNames }),
  fc.record({ op: fc.constantFrom<Measure["op"]>("sum", "avg", "median"), column: fc.constantFrom("n", "x", "e") }),
  fc.record({ op: fc.constant<Measure["op"]>("variance"), column: fc.constantFrom("n", "x") }),
);

/** A query over the random columns that is right in every part. */
export const randomQuery: fc.Arbitrary<AggregateQuery> = fc
  .record({
    dimensions: fc.uniqueArray(dimensions, { maxLength: 3, selector: ({ column }) => column }),
    measures: fc.array(fc.tuple(measures, fc.option(filters, { nil: undefined })), { minLength: 1, maxLength: 4 }),
    filter: fc.option(filters, { nil: undefined }),
    having: fc.option(fc.record({ op: comparisonOps, value: fc.integer({ min: 0, max: 5 }), not: fc.boolean() }), {
      nil: undefined,
    }),
    order: fc.array(fc.record({ at: fc.nat(10), descending: fc.boolean(), nullsFirst: fc.boolean() }), {
      maxLength: 3,
    }),
    limit: fc.constantFrom(0, 0, 1, 2, 5),
    offset: fc.constantFrom(0, 0, 1, 3),
    totals: fc.constantFrom<AggregateQuery["totals"]>("none", "grand", "subtotals"),
    top: fc.option(
      fc.record({
        at: fc.nat(3),
        by: fc.nat(4),
        count: fc.integer({ min: 1, max: 4 }),
        ascending: fc.boolean(),
        others: fc.boolean(),
      }),
      { nil: undefined },
    ),
  })
  .map(({ dimensions: groups, measures: pairs, filter, having, order, top, ...rest }) => {
    const named = pairs.map(
      ([measure, condition], index): Measure => ({
        ...measure,
        alias: `m${index}`,
        ...(condition && { filter: condition }),
      }),
    );
    const names = [...groups.map(({ column }) => column), ...named.map(measureName)];
    const rows: Measure = { op: "count", alias: "rows" };
    return {
      dataset: "random",
      version: 0,
      calculatedColumns: [],
      calculatedMeasures: [],
      dimensions: groups,
      measures: [...named, rows],
      ...rest,
      ...(filter && { filter }),
      ...(having && { having: havingOf(having) }),
      order: order.map(({ at, ...how }) => ({ by: names[at % names.length] ?? "rows", ...how })),
      ...(top && groups.length > 0 && { top: topOf(top, groups, named) }),
    };
  });

function havingOf({ op, value, not }: { op: ComparisonOp; value: number; not: boolean }): Filter {
  const filter: Filter = { kind: "compare", column: "rows", op, value };
  return not ? { kind: "not", filter } : filter;
}

function topOf(
  { at, by, ...how }: { at: number; by: number; count: number; ascending: boolean; others: boolean },
  groups: readonly Dimension[],
  named: readonly Measure[],
): NonNullable<AggregateQuery["top"]> {
  const dimension = groups[at % groups.length]?.column ?? "";
  return { dimension, measure: measureName(named[by % named.length] ?? { op: "count" }), ...how };
}
