import type { ColumnStatistics } from "../../gen/drover/v1/query_service_pb.js";
import type { ColumnStatistics as ServiceStatistics } from "../../queries/statistics.ts";
import { fromColumn } from "./columns.ts";
import { fromJsonValue } from "./values.ts";

export function fromStatistics(statistics: ServiceStatistics): ColumnStatistics {
  const { column, nullCount, approximateDistinctCount, min, max, mean, stddev, quartiles } = statistics;
  return {
    $typeName: "drover.v1.ColumnStatistics",
    column: fromColumn(column),
    nullCount: BigInt(nullCount),
    approximateDistinctCount: BigInt(approximateDistinctCount),
    ...(min !== undefined && { min: fromJsonValue(min) }),
    ...(max !== undefined && { max: fromJsonValue(max) }),
    ...(mean !== undefined && { mean }),
    ...(stddev !== undefined && { stddev }),
    quartiles: [...quartiles],
  };
}
