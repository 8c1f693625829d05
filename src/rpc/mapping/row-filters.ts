import { create } from "@bufbuild/protobuf";
import { ComparisonOp, FilterSchema, type Filter as ProtoFilter, TextOp } from "../../gen/drover/v1/query_pb.js";
import type { SourceSpec } from "../../sources/connector.ts";
import type { FilterValue, RowFilter } from "../../sources/row-filter.ts";
import { toFilter } from "./filters.ts";
import { fromJsonValue, toCount } from "./values.ts";

type Wanted = Pick<SourceSpec, "filter" | "limit">;

/** Which rows of its source a request wants. */
export function toWantedRows({
  filter,
  limit,
}: {
  readonly filter?: ProtoFilter | undefined;
  readonly limit: bigint;
}): Wanted {
  return { ...(filter && { filter: toFilter(filter, "filter") }), ...(limit > 0n && { limit: toCount(limit) }) };
}

/** Which rows of its source a version has. */
export function fromWantedRows({ filter, limit = 0 }: Wanted): { filter?: ProtoFilter; limit: bigint } {
  return { ...(filter && { filter: fromRowFilter(filter) }), limit: BigInt(limit) };
}

const COMPARISONS = {
  equal: ComparisonOp.EQUAL,
  notEqual: ComparisonOp.NOT_EQUAL,
  less: ComparisonOp.LESS,
  lessOrEqual: ComparisonOp.LESS_OR_EQUAL,
  greater: ComparisonOp.GREATER,
  greaterOrEqual: ComparisonOp.GREATER_OR_EQUAL,
} as const;

const TEXT_OPS = {
  contains: TextOp.CONTAINS,
  startsWith: TextOp.STARTS_WITH,
  endsWith: TextOp.ENDS_WITH,
  glob: TextOp.GLOB,
} as const;

export function fromRowFilter(filter: RowFilter): ProtoFilter {
  return create(FilterSchema, { kind: kindOf(filter) });
}

function kindOf(filter: RowFilter): ProtoFilter["kind"] {
  const { kind } = filter;
  switch (kind) {
    case "all":
    case "any":
      return { case: kind, value: { $typeName: "drover.v1.FilterList", filters: filter.filters.map(fromRowFilter) } };
    case "not":
      return { case: kind, value: fromRowFilter(filter.filter) };
    case "compare": {
      const { column, op, value } = filter;
      return {
        case: kind,
        value: { $typeName: "drover.v1.Comparison", column, op: COMPARISONS[op], value: of(value) },
      };
    }
    case "in": {
      const { column, values } = filter;
      return { case: kind, value: { $typeName: "drover.v1.Membership", column, values: values.map(of) } };
    }
    case "range": {
      const { kind: _, from, to, ...range } = filter;
      const bounds = { ...(from !== undefined && { from: of(from) }), ...(to !== undefined && { to: of(to) }) };
      return { case: kind, value: { $typeName: "drover.v1.Range", ...range, ...bounds } };
    }
    case "isNull":
      return { case: kind, value: filter.column };
    case "text": {
      const { column, op, text, ignoreCase } = filter;
      return { case: kind, value: { $typeName: "drover.v1.TextMatch", column, op: TEXT_OPS[op], text, ignoreCase } };
    }
  }
}

function of(value: FilterValue) {
  return fromJsonValue(value);
}
