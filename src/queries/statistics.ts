import type { ReadEngine } from "../engine/engine.ts";
import type { Column, JsonValue } from "../engine/types.ts";
import { fetchRows } from "./fetch.ts";
import type { Freshness } from "./model.ts";
import { planStatistics, type StatisticsPlaces, type StatisticsQuery } from "./plan-statistics.ts";
import type { PinnedVersions } from "./versions.ts";

/** A request for what columns hold. */
export interface StatisticsRequest extends StatisticsQuery {
  readonly dataset: string;
  /** 0 for the current one. */
  readonly version: number;
  /** Of the current version. */
  readonly freshness?: Freshness;
}

export interface ColumnStatistics {
  readonly column: Column;
  readonly nullCount: number;
  readonly approximateDistinctCount: number;
  /** Absent for types without an order and for nothing. */
  readonly min?: JsonValue;
  readonly max?: JsonValue;
  /** Numbers only; NaN where there is a NaN. */
  readonly mean?: number;
  readonly stddev?: number;
  /** 0.25, 0.5 and 0.75 of the finite values; empty for other types than numbers. */
  readonly quartiles: readonly number[];
}

export interface Statistics {
  readonly rows: number;
  readonly columns: readonly ColumnStatistics[];
  readonly version: number;
}

/** Describes columns, many in one scan. */
export async function statistics(
  engine: ReadEngine,
  versions: PinnedVersions,
  request: StatisticsRequest,
  { signal }: { readonly signal: AbortSignal },
): Promise<Statistics> {
  const schema = versions.schema(request.dataset);
  const columns: ColumnStatistics[] = [];
  let rows = 0;
  for (const { plan, places } of planStatistics(request, schema)) {
    const fetched = await fetchRows(engine, plan, versions, { signal });
    const [row = []] = fetched.rows;
    rows = Number(row[0]);
    columns.push(...places.map((place) => statisticsOf(place, row, rows)));
  }
  return { rows, columns, version: schema.version };
}

function statisticsOf(places: StatisticsPlaces, row: readonly JsonValue[], rows: number): ColumnStatistics {
  const at = (place: number | undefined) => (place === undefined ? null : (row[place] ?? null));
  const [min, max, mean, stddev] = [at(places.min), at(places.max), at(places.mean), at(places.stddev)];
  const quartiles = at(places.quartiles);
  const count = Number(at(places.count));
  return {
    column: places.column,
    nullCount: rows - count,
    // The estimate knows nothing of how many values there are at all.
    approximateDistinctCount: Math.min(count, Number(at(places.distinct))),
    ...(min !== null && { min }),
    ...(max !== null && { max }),
    ...(mean !== null && { mean: Number(mean) }),
    ...(stddev !== null && { stddev: Number(stddev) }),
    quartiles: Array.isArray(quartiles) ? quartiles.map(Number) : [],
  };
}
