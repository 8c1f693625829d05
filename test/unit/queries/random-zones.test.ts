import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderPlan } from "../../../src/engine/duckdb/render/render-plan.ts";
import type { TimeUnit } from "../../../src/engine/plan.ts";
import { planAggregate } from "../../../src/queries/planner.ts";
import { type CaseEngine, openCaseEngine } from "../../helpers/case-engine.ts";
import { aggregate } from "../../helpers/query-service.ts";
import { localMs, periodBegin } from "../../helpers/zone-calendar.ts";

let engine: CaseEngine;
beforeAll(async () => {
  engine = await openCaseEngine();
});
afterAll(() => engine[Symbol.asyncDispose]());

// Both hemispheres, half and quarter hours, changes of half an hour and of two, at midnight and across the date line.
const zones = fc.constantFrom(
  "Europe/Berlin",
  "America/New_York",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/Sao_Paulo",
  "America/Havana",
  "Asia/Beirut",
  "Africa/Cairo",
  "Antarctica/Troll",
  "Pacific/Apia",
  "America/St_Johns",
  "Atlantic/Azores",
  "Asia/Gaza",
  "UTC",
  "Africa/Casablanca",
);
const units = fc.constantFrom<TimeUnit>("second", "minute", "hour", "day", "week", "month", "quarter", "year");
// Up to 2023, where no two editions of the zone database differ.
const instants = fc.integer({ min: Date.UTC(1980, 0, 1) / 1000, max: Date.UTC(2023, 11, 31) / 1000 });

/** The seconds around which a zone's clock was set, within some days of an instant. */
function nearChange(seconds: number, zone: string): number {
  const offset = (at: number) => localMs(at * 1000, zone) / 1000 - at;
  for (let day = 0; day < 200; day += 1) {
    const at = seconds + day * 86_400;
    if (offset(at) === offset(at + 86_400)) continue;
    for (let quarter = 0; quarter < 96; quarter += 1) {
      const from = Math.ceil(at / 900) * 900 + quarter * 900;
      if (offset(from - 1) !== offset(from)) return from;
    }
  }
  return seconds;
}

async function begins(seconds: readonly number[], zone: string, unit: TimeUnit, weekStart: number) {
  const sql = `SELECT unnest([${seconds.join(", ")}]) AS id, make_timestamptz(unnest([${seconds.join(", ")}])::BIGINT * 1000000) AS z`;
  const version = await engine.version({ name: "instants", sql });
  const { query } = aggregate("instants", {
    dimensions: [{ column: "id" }, { column: "z", bucket: { kind: "grain", unit, zone, weekStart } }],
    measures: [{ op: "count" }],
  });
  const { rows } = await engine.run(renderPlan(planAggregate(query, version).plan, () => version));
  return new Map(rows.map(([id, begin]) => [Number(id), String(begin)]));
}

test("the periods of any zone begin where its clock says", async () => {
  await fc.assert(
    fc.asyncProperty(
      zones,
      units,
      fc.integer({ min: 1, max: 7 }),
      fc.array(instants, { minLength: 1, maxLength: 3 }),
      async (zone, unit, weekStart, some) => {
        const changes = some.map((each) => nearChange(each, zone));
        const seconds = [
          ...some,
          ...changes.flatMap((at) => [-7200, -3600, -1800, -1, 0, 900, 1800, 3599, 3600, 5400].map((far) => at + far)),
        ];
        const found = await begins([...new Set(seconds)], zone, unit, weekStart);
        const wanted = [...found.keys()].map((at) => [
          at,
          new Date(periodBegin(at * 1000, zone, unit, weekStart)).toISOString().replace(".000Z", "Z"),
        ]);
        expect([...found], `${zone} ${unit}`).toEqual(wanted);
      },
    ),
    { numRuns: 60 },
  );
}, 300_000);
