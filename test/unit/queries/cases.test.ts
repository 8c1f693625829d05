import { create, fromJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderPlan } from "../../../src/engine/duckdb/render/render-plan.ts";
import type { ReadableVersion } from "../../../src/engine/engine.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { AggregateQuerySchema } from "../../../src/gen/drover/v1/query_pb.js";
import { QuestionSchema } from "../../../src/gen/drover/v1/query_service_pb.js";
import type { AggregateQuery } from "../../../src/queries/model.ts";
import { type PlannedQuery, planAggregate } from "../../../src/queries/planner.ts";
import { toQuestion } from "../../../src/rpc/mapping/questions.ts";
import { type CaseEngine, openCaseEngine, type WholeResult } from "../../helpers/case-engine.ts";
import { type Case, loadCases, matchesCell, sameValue } from "../../helpers/cases.ts";

let engine: CaseEngine;
beforeAll(async () => {
  engine = await openCaseEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

function queryOf(json: Case["query"]): AggregateQuery {
  const aggregate = fromJson(AggregateQuerySchema, json as never);
  const question = toQuestion(create(QuestionSchema, { kind: { case: "aggregate", value: aggregate } }));
  if (question.kind !== "aggregate") throw new Error("not an aggregate query");
  return question.query;
}

function planned({ query }: Case, version: ReadableVersion): PlannedQuery {
  return planAggregate(queryOf(query), version);
}

function caught(work: () => unknown): DriverError {
  try {
    work();
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function expectRows(result: WholeResult, { expected }: Case): void {
  const shown = () => result.rows.map((row) => row.map((value) => JSON.stringify(value)).join(" | ")).join("\n");
  expect(result.columns.map(({ name }) => name)).toEqual(expected?.columns);
  const rows = expected?.rows ?? [];
  const same = rows.length === result.rows.length && rows.every((row, y) => rowMatches(result.rows[y] ?? [], row));
  if (!same) expect(`\n${shown()}\n`).toBe(`\n${rows.map((row) => row.join(" | ")).join("\n")}\n`);
}

function rowMatches(values: readonly unknown[], cells: readonly string[]): boolean {
  return values.length === cells.length && cells.every((cell, x) => matchesCell(values[x], cell));
}

describe.each(loadCases().map((each) => [`${each.name} (${each.place})`, each] as const))("%s", (_, each) => {
  if (each.error === undefined) {
    test("gives the expected rows, in types that were planned, as independent SQL does", async () => {
      const version = await engine.version(each.dataset);
      const { plan, columns } = planned(each, version);
      const result = await engine.run(renderPlan(plan, () => version));
      expectRows(result, each);
      expect(result.columns).toEqual(columns);
      const independent = await engine.runSql(each.sql ?? "", version);
      expect(independent.rows.length).toBe(result.rows.length);
      for (const [y, row] of result.rows.entries())
        for (const [x, value] of row.entries())
          if (!sameValue(value, independent.rows[y]?.[x])) expect(row).toEqual(independent.rows[y]);
    });
  } else {
    test("is refused", async () => {
      const version = await engine.version(each.dataset);
      const error = caught(() => planned(each, version));
      expect([error.reason, error.violations[0]?.field]).toEqual([each.error?.reason, each.error?.field]);
    });
  }
});
