import type { ReadEngine } from "../engine/engine.ts";
import type { Plan } from "../engine/plan.ts";
import type { Column, JsonValue } from "../engine/types.ts";
import type { PinnedVersions } from "./versions.ts";

/** The whole of a small result. */
export interface Fetched {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly JsonValue[])[];
}

/** Runs a plan whose result is bounded and collects its rows; `enough` ends it early. */
export async function fetchRows(
  engine: ReadEngine,
  plan: Plan,
  versions: PinnedVersions,
  { signal, enough }: { readonly signal: AbortSignal; readonly enough?: (rows: Fetched["rows"]) => boolean },
): Promise<Fetched> {
  const statement = engine.render(plan, (dataset) => versions.readable(dataset));
  await using result = await engine.query(statement, { signal });
  const rows: (readonly JsonValue[])[] = [];
  for (let batch = await result.next(); batch !== undefined; batch = await result.next()) {
    for (const row of batch.toRows()) rows.push(row);
    if (enough?.(rows)) break;
  }
  return { columns: result.columns, rows };
}
