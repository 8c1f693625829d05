import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderPlan } from "../../../src/engine/duckdb/render/render-plan.ts";
import { planAggregate } from "../../../src/queries/planner.ts";
import { evaluate, type Row, toCell } from "../../helpers/brute-force.ts";
import { type CaseEngine, openCaseEngine } from "../../helpers/case-engine.ts";
import { sameValue } from "../../helpers/cases.ts";
import { randomColumns, randomData, randomQuery } from "../../helpers/random-query.ts";

let engine: CaseEngine;
beforeAll(async () => {
  engine = await openCaseEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

// fast-check prints seed and path of what fails.
test("a random query over random rows gives what going through the rows one by one gives", async () => {
  const queries = fc.array(randomQuery, { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(randomData, queries, async (sql, some) => {
      const version = await engine.version({ name: "random", sql });
      const stored = await engine.runSql("SELECT * FROM random", version);
      const names = Object.keys(randomColumns);
      const data = stored.rows.map(
        (row): Row =>
          Object.fromEntries(row.map((value, at) => [names[at], toCell(value, randomColumns[names[at] ?? ""])])),
      );
      for (const query of some) {
        const { plan, columns } = planAggregate(query, version);
        const result = await engine.run(renderPlan(plan, () => version));
        expect(result.columns).toEqual(columns);
        const expected = evaluate(query, randomColumns, data);
        const same =
          expected.length === result.rows.length &&
          expected.every((row, y) => row.every((value, x) => sameValue(result.rows[y]?.[x] ?? null, value)));
        if (!same) expect(result.rows, JSON.stringify(query)).toEqual(expected);
      }
    }),
    { numRuns: 100 },
  );
}, 300_000);
