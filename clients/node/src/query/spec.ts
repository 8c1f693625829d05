import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { wholeNumber } from "../checks.ts";
import { clientError } from "../errors.ts";
import { type AggregateQuery, AggregateQuerySchema } from "../gen/drover/v1/query_pb.js";
import { type Question, QuestionSchema, SqlQuerySchema } from "../gen/drover/v1/query_service_pb.js";
import { type JsonObject, type Scalar, toWire } from "../values.ts";
import { Dimension } from "./dimension.ts";
import type { Expression } from "./expression.ts";
import type { Filter } from "./filter.ts";
import { type FreshnessOptions, freshnessToWire } from "./freshness.ts";
import type { Measure } from "./measure.ts";
import { lookUp, type TotalsName, totalsKinds } from "./names.ts";

/** One key of an order. */
export interface OrderKey {
  /** A dimension, measure or calculated measure by its name in the result. */
  readonly by: string;
  readonly descending?: boolean | undefined;
  /** NULL is last otherwise, whatever the direction. */
  readonly nullsFirst?: boolean | undefined;
}

/** Keeps only the greatest values of one dimension. */
export interface Top {
  /** How many values stay, 1 to 10,000. */
  readonly count: number;
  /** The measure that ranks them, by its name in the result. */
  readonly by: string;
  /** The dimension, by its name in the result. Default: the first. */
  readonly dimension?: string | undefined;
  /** Keeps the least instead. */
  readonly ascending?: boolean | undefined;
  /** Gathers the rest into a row of `row_kind` `others`. Default: the rest is left out. */
  readonly others?: boolean | undefined;
}

/** Named expressions; later ones may use earlier ones. */
export type Calculated =
  | Readonly<Record<string, Expression>>
  | readonly { readonly name: string; readonly expression: Expression }[];

/** An aggregate question: one row for each combination of the dimensions. */
export interface QuerySpec extends FreshnessOptions {
  /** What to group by; a string is a column. */
  readonly dimensions?: readonly (Dimension | string)[] | undefined;
  /** What to compute for each group. */
  readonly measures?: readonly Measure[] | undefined;
  /** Computed for each row before anything else. */
  readonly calculatedColumns?: Calculated | undefined;
  /** Computed for each group from its measures and dimensions. */
  readonly calculatedMeasures?: Calculated | undefined;
  /** Which rows count. */
  readonly where?: Filter | undefined;
  /** Which groups stay. */
  readonly having?: Filter | undefined;
  /** A string orders by that name, ascending. Default, and for ties: by the dimensions. */
  readonly order?: readonly (OrderKey | string)[] | undefined;
  /** At most this many rows, totals and others not counted; 0 or left out: all. */
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  /** Default: none. */
  readonly totals?: TotalsName | undefined;
  readonly top?: Top | undefined;
  /** The version to read. Default: the current one. */
  readonly version?: number | undefined;
}

/** SQL over datasets: exactly one SELECT. */
export interface SqlSpec extends FreshnessOptions {
  readonly sql: string;
  /** Values for `$1`, `$2`, ... */
  readonly parameters?: readonly Scalar[] | undefined;
  /** The versions of datasets that are not to be read at their current one, by name. */
  readonly versions?: Readonly<Record<string, number>> | undefined;
}

/** Makes the contract's question of a spec. */
export function aggregateQuestion(dataset: string, spec: QuerySpec): Question {
  return create(QuestionSchema, { kind: { case: "aggregate", value: aggregateOf(dataset, spec) } });
}

/** Makes the contract's question of SQL. */
export function sqlQuestion({ sql, parameters = [], versions = {}, ...fresh }: SqlSpec): Question {
  const asked = Object.entries(versions).map(([name, version]) => [name, wholeNumber("versions", version)] as const);
  const freshness = freshnessToWire(fresh);
  const value = create(SqlQuerySchema, {
    sql,
    parameters: parameters.map(toWire),
    versions: Object.fromEntries(asked),
    ...(freshness && { freshness }),
  });
  return create(QuestionSchema, { kind: { case: "sql", value } });
}

/** Reads the contract's question from its JSON form. Throws INVALID_ARGUMENT where it is not one. */
export function questionFromJson(json: JsonObject): Question {
  try {
    return fromJson(QuestionSchema, json as JsonValue);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw clientError("INVALID_ARGUMENT", `not a question: ${message}`, { cause });
  }
}

function aggregateOf(dataset: string, spec: QuerySpec): AggregateQuery {
  const freshness = freshnessToWire(spec);
  return create(AggregateQuerySchema, {
    dataset,
    version: wholeNumber("version", spec.version ?? 0),
    ...(freshness && { freshness }),
    calculatedColumns: calculatedOf(spec.calculatedColumns),
    dimensions: (spec.dimensions ?? []).map((dimension) => dimensionOf(dimension).wire),
    measures: (spec.measures ?? []).map((measure) => measure.wire),
    calculatedMeasures: calculatedOf(spec.calculatedMeasures),
    ...(spec.where && { filter: spec.where.wire }),
    ...(spec.having && { having: spec.having.wire }),
    order: (spec.order ?? []).map(orderOf),
    limit: wholeNumber("limit", spec.limit ?? 0),
    offset: wholeNumber("offset", spec.offset ?? 0),
    totals: lookUp(totalsKinds, spec.totals ?? "none", "totals"),
    ...(spec.top && { top: topOf(spec.top) }),
  });
}

function dimensionOf(dimension: Dimension | string): Dimension {
  return typeof dimension === "string" ? new Dimension(dimension) : dimension;
}

function calculatedOf(calculated: Calculated = []) {
  const entries = Array.isArray(calculated)
    ? (calculated as readonly { readonly name: string; readonly expression: Expression }[])
    : Object.entries(calculated as Readonly<Record<string, Expression>>).map(([name, expression]) => ({
        name,
        expression,
      }));
  return entries.map(({ name, expression }) => ({ name, expression: expression.wire }));
}

function orderOf(key: OrderKey | string) {
  if (typeof key === "string") return { by: key };
  return { by: key.by, descending: key.descending ?? false, nullsFirst: key.nullsFirst ?? false };
}

function topOf(top: Top) {
  return {
    dimension: top.dimension ?? "",
    count: top.count,
    measure: top.by,
    ascending: top.ascending ?? false,
    others: top.others ?? false,
  };
}
