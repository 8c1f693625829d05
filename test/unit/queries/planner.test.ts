import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderPlan } from "../../../src/engine/duckdb/render/render-plan.ts";
import type { Column } from "../../../src/engine/types.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { planJson, planText } from "../../../src/queries/explain.ts";
import type { AggregateQuery, Expression, Filter } from "../../../src/queries/model.ts";
import { planAggregate } from "../../../src/queries/planner.ts";
import { type CaseEngine, openCaseEngine } from "../../helpers/case-engine.ts";
import { aggregate } from "../../helpers/query-service.ts";

let engine: CaseEngine;
beforeAll(async () => {
  engine = await openCaseEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

const columns: readonly Column[] = [
  { name: "k", type: "VARCHAR", kind: "text" },
  { name: "n", type: "INTEGER", kind: "integer" },
  { name: "z", type: "TIMESTAMP WITH TIME ZONE", kind: "timestampTz" },
];
const schema = { dataset: "sales", version: 3, columns };

function text(parts: Partial<AggregateQuery>): readonly string[] {
  return planText(planAggregate(aggregate("sales", parts).query, schema).plan).split("\n");
}

describe("a plan", () => {
  test("of groups is a scan of the columns needed, an aggregate and a sort", () => {
    expect(text({ dimensions: [{ column: "k" }], measures: [{ op: "sum", column: "n" }] })).toEqual([
      "sort k",
      "  aggregate by k computing sum(n) as sum_n",
      "    scan sales version 3 (k, n)",
    ]);
  });

  test("filters before it groups, has, sorts and cuts after", () => {
    const filter: Filter = { kind: "compare", column: "n", op: "greater", value: 1 };
    const having: Filter = { kind: "compare", column: "count", op: "less", value: 9 };
    const order = [{ by: "count", descending: true, nullsFirst: false }];
    const parts = {
      dimensions: [{ column: "k" }],
      measures: [{ op: "count" as const }],
      filter,
      having,
      order,
      limit: 5,
    };
    expect(text(parts)).toEqual([
      "limit 5",
      "  sort count descending, k",
      '    filter less(count, "9":BIGINT)',
      "      aggregate by k computing count() as count",
      '        filter greater(n, "1":INTEGER)',
      "          scan sales version 3 (k, n)",
    ]);
  });

  test("groups by local time and finds the instants of the groups", () => {
    const bucket = { kind: "grain", unit: "day", zone: "Europe/Berlin", weekStart: 1 } as const;
    expect(text({ dimensions: [{ column: "z", alias: "day", bucket }] })).toEqual([
      "sort day",
      "  project fromLocal(day, Europe/Berlin) as day",
      "    aggregate by day(toLocal(z, Europe/Berlin)) as day",
      "      scan sales version 3 (z)",
    ]);
  });

  test("of a top-N without a rest reads the rows once", () => {
    const top = { count: 3, measure: "count", ascending: false, others: false };
    expect(text({ dimensions: [{ column: "k" }], measures: [{ op: "count" }], top })).toEqual([
      "sort k",
      "  limit 3",
      "    sort count descending, k",
      "      aggregate by k computing count() as count",
      "        scan sales version 3 (k)",
    ]);
  });

  test("of a top-N with others ranks first", () => {
    const top = { count: 3, measure: "count", ascending: false, others: true };
    const lines = text({ dimensions: [{ column: "k" }], measures: [{ op: "count" }], top });
    expect(lines.map((line) => line.trim())).toContain("ranking:");
    expect(lines).toContain("      top 3 of top_key by count descending, others as top_others");
  });

  test("reads calculated columns only when they are used", () => {
    const calculatedColumns = [
      { name: "unused", expression: { kind: "column", name: "z" } as const },
      { name: "twice", expression: { kind: "call", fn: "add", args: [column("n"), column("n")] } as const },
    ];
    expect(text({ calculatedColumns, measures: [{ op: "sum", column: "twice" }] })).toEqual([
      "aggregate all rows computing sum(twice) as sum_twice",
      "  project n, add(cast(n, BIGINT), cast(n, BIGINT)) as twice",
      "    scan sales version 3 (n)",
    ]);
  });

  test("is a plain JSON object", () => {
    const { plan } = planAggregate(aggregate("sales", { measures: [{ op: "count" }] }).query, schema);
    expect(planJson(plan)).toEqual({
      op: "aggregate",
      input: { op: "scan", dataset: "sales", version: 3, columns: [] },
      groups: [],
      measures: [{ name: "count", op: "count" }],
    });
  });
});

function column(name: string): Expression {
  return { kind: "column", name };
}

function nested(depth: number): Expression {
  let expression = column("n");
  for (let level = 1; level < depth; level += 1) expression = { kind: "call", fn: "negate", args: [expression] };
  return expression;
}

describe("what is too deep is refused, what is just not is run", () => {
  const version = { ...schema, segmentPaths: [] };
  const run = (parts: Partial<AggregateQuery>) => {
    const { plan } = planAggregate(aggregate("sales", parts).query, schema);
    return engine.run(renderPlan(plan, () => version));
  };

  test("expressions", async () => {
    const query = (depth: number) => ({
      measures: [{ op: "count" as const }, { op: "max" as const, column: "c" }],
      calculatedColumns: [{ name: "c", expression: nested(depth) }],
    });
    expect((await run(query(100))).rows).toEqual([["0", null]]);
    expect(() => planAggregate(aggregate("sales", query(101)).query, schema)).toThrow(DriverError);
  });

  test("conditions", async () => {
    const filter = (depth: number): Filter => {
      let inner: Filter = { kind: "isNull", column: "k" };
      for (let level = 1; level < depth; level += 1) inner = { kind: "not", filter: inner };
      return inner;
    };
    expect((await run({ measures: [{ op: "count" }], filter: filter(100) })).rows).toEqual([["0"]]);
    expect(() =>
      planAggregate(aggregate("sales", { measures: [{ op: "count" }], filter: filter(101) }).query, schema),
    ).toThrow(DriverError);
  });

  test("roots of roots, whose text must not double at every level", async () => {
    let expression = column("n");
    for (let level = 1; level < 99; level += 1)
      expression = { kind: "call", fn: level % 2 ? "sqrt" : "ln", args: [expression] };
    expect(
      (await run({ measures: [{ op: "max", column: "c" }], calculatedColumns: [{ name: "c", expression }] })).rows,
    ).toEqual([[null]]);
  });

  test("calculated columns that build on each other", async () => {
    const chain = (length: number) =>
      Array.from({ length }, (_, index) => ({
        name: `c${index}`,
        expression: {
          kind: "call",
          fn: "add",
          args: [column(index === 0 ? "n" : `c${index - 1}`), column(index === 0 ? "n" : `c${index - 1}`)],
        } as const,
      }));
    expect((await run({ measures: [{ op: "max", column: "c49" }], calculatedColumns: chain(50) })).rows).toEqual([
      [null],
    ]);
    const tooLong = aggregate("sales", { measures: [{ op: "max", column: "c100" }], calculatedColumns: chain(101) });
    expect(() => planAggregate(tooLong.query, schema)).toThrow(DriverError);
  });
});

test("2,000 measures of 2,000 columns in one question", async () => {
  const list = Array.from({ length: 2000 }, (_, index) => `range + ${index} AS "column ${index}"`).join(", ");
  const version = await engine.version({ name: "wide", sql: `SELECT ${list} FROM range(3)` });
  const measures = version.columns.map(({ name }) => ({ op: "sum" as const, column: name }));
  const { plan, columns: outputs } = planAggregate(aggregate("wide", { measures }).query, version);
  const { rows, columns: found } = await engine.run(renderPlan(plan, () => version));
  expect(found).toEqual(outputs);
  expect(rows).toEqual([Array.from({ length: 2000 }, (_, index) => String(3 + 3 * index))]);
});

test("long lists work for every type that has constants", async () => {
  const sql = `SELECT r::TINYINT AS i, r::UBIGINT AS u, (r / 10)::DECIMAL(30,5) AS e, (r / 10)::FLOAT AS f, r::DOUBLE AS x, 'v' || r AS s, DATE '1969-12-20' + r::INTEGER AS d,
    TIME '00:00:00' + INTERVAL 1 SECOND * r AS t, TIMESTAMP '2024-01-01' + INTERVAL 1 MICROSECOND * r AS ts, (TIMESTAMP '2024-01-01' + INTERVAL 1 HOUR * r)::TIMESTAMP_NS AS ns,
    TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL 1 HOUR * r AS z, md5(r::VARCHAR)::UUID AS o, r::VARCHAR::BLOB AS y, r % 2 = 0 AS b FROM range(30) AS t(r)`;
  const version = await engine.version({ name: "kinds", sql });
  const { rows } = await engine.runSql("SELECT * FROM kinds", version);
  for (const [at, { name, type }] of version.columns.entries()) {
    const values = rows.slice(0, 25).map((row) => row[at] as string);
    const query = { measures: [{ op: "count" as const }], filter: { kind: "in", column: name, values } as const };
    const { plan } = planAggregate(aggregate("kinds", query).query, version);
    const result = await engine.run(renderPlan(plan, () => version));
    expect([type, result.rows]).toEqual([type, [[type === "BOOLEAN" ? "30" : "25"]]]);
  }
});

test("any of 10,000 equalities is one list in the plan", async () => {
  const equal = (column: string, value: string): Filter => ({ kind: "compare", column, op: "equal", value });
  const filters = Array.from({ length: 10_000 }, (_, index) => equal("k", `v${index}`));
  const parts = {
    measures: [{ op: "count" as const }],
    filter: { kind: "any", filters: [...filters, equal("n", "7")] } as const,
  };
  expect(text(parts)[1]).toMatch(
    /^ {2}filter or\(in\(k, \["v0":VARCHAR, .*… 10000 in all\]\), equal\(n, "7":INTEGER\)\)$/,
  );
  const version = await engine.version({
    name: "listed",
    sql: "SELECT 'v' || range AS k, range::INTEGER AS n, NULL::TIMESTAMPTZ AS z FROM range(20000)",
  });
  const { plan } = planAggregate(aggregate("listed", parts).query, version);
  expect((await engine.run(renderPlan(plan, () => version))).rows).toEqual([["10000"]]);
});

test("an empty version without segments answers like any other", async () => {
  const { plan, columns: outputs } = planAggregate(
    aggregate("sales", { dimensions: [{ column: "k" }], measures: [{ op: "avg", column: "n" }], totals: "grand" })
      .query,
    schema,
  );
  const result = await engine.run(renderPlan(plan, () => ({ ...schema, segmentPaths: [] })));
  expect(result).toEqual({ columns: outputs, rows: [[null, null, "total"]] });
});
