import { columnFrom } from "./answers-from-wire.ts";
import { required, wholeNumber } from "./checks.ts";
import { statisticsFrom } from "./from-wire.ts";
import { QueryService } from "./gen/drover/v1/query_service_pb.js";
import type { ColumnStatistics } from "./model.ts";
import { maxPageSize, paged } from "./pages.ts";
import type { Filter } from "./query/filter.ts";
import { type FreshnessOptions, freshnessToWire } from "./query/freshness.ts";
import type { WaitOptions } from "./query/query.ts";
import type { Transport } from "./transport/transport.ts";
import { decoderOf, type IntegerMode, type ResultValue } from "./values.ts";

/** Which values of a column are listed. */
export interface ValuesOptions extends WaitOptions, FreshnessOptions {
  /** Only values whose text starts with this, whatever the case. */
  readonly prefix?: string | undefined;
  readonly where?: Filter | undefined;
  readonly version?: number | undefined;
  /** At most this many. Default: all. */
  readonly limit?: number | undefined;
  readonly integers?: IntegerMode | undefined;
}

/** A value and in how many rows it is. */
export interface ValueCount {
  readonly value: ResultValue;
  readonly count: number;
}

/** Which columns and rows are described. */
export interface StatisticsOptions extends WaitOptions, FreshnessOptions {
  readonly columns?: readonly string[] | undefined;
  readonly where?: Filter | undefined;
  readonly version?: number | undefined;
  readonly integers?: IntegerMode | undefined;
}

/** What columns hold. */
export interface Statistics {
  readonly rows: number;
  readonly version: number;
  readonly columns: readonly ColumnStatistics[];
}

/** The different values of a column with their counts, in the order of the values, NULL last. */
export function listValues(
  transport: Transport,
  dataset: string,
  column: string,
  options: ValuesOptions,
): AsyncGenerator<ValueCount, void, undefined> {
  const { prefix = "", where, version = 0, limit, integers = "bigint" } = options;
  const freshness = freshnessToWire(options);
  return paged(async (pageToken) => {
    const request = {
      dataset,
      column,
      prefix,
      version: wholeNumber("version", version),
      ...(where && { filter: where.wire }),
      ...(freshness && { freshness }),
      pageSize: Math.min(limit ?? maxPageSize, maxPageSize),
      pageToken,
      noWait: options.noWait ?? false,
    };
    const response = await transport.unary(QueryService.method.listValues, request, options);
    const decode = decoderOf(columnFrom(required(response.column)), integers);
    const items = response.values.map(({ value, count }) => ({
      value: value === undefined ? null : decode(value),
      count: Number(count),
    }));
    return { items, nextPageToken: response.nextPageToken };
  }, limit);
}

/** Counts, bounds and quantiles of columns. */
export async function statistics(
  transport: Transport,
  dataset: string,
  options: StatisticsOptions,
): Promise<Statistics> {
  const { columns = [], where, version = 0, integers = "bigint" } = options;
  const freshness = freshnessToWire(options);
  const request = {
    dataset,
    columns: [...columns],
    version: wholeNumber("version", version),
    ...(where && { filter: where.wire }),
    noWait: options.noWait ?? false,
    ...(freshness && { freshness }),
  };
  const response = await transport.unary(QueryService.method.getStatistics, request, options);
  return {
    rows: Number(response.rows),
    version: Number(response.version),
    columns: response.columns.map((column) => statisticsFrom(column, integers)),
  };
}
