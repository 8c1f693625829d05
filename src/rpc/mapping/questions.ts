import type {
  AggregateQuery as ProtoAggregateQuery,
  Dimension as ProtoDimension,
  Measure as ProtoMeasure,
  TopN as ProtoTopN,
} from "../../gen/drover/v1/query_pb.js";
import type { Question as ProtoQuestion, SqlQuery } from "../../gen/drover/v1/query_service_pb.js";
import type { AggregateQuery, Dimension, Measure, Question, TopN } from "../../queries/model.ts";
import { measureOps, timeParts, timeUnits, totals, wordOf } from "./enums.ts";
import { toCalculatedColumns } from "./expressions.ts";
import { toFilter } from "./filters.ts";
import { invalidField } from "./invalid-field.ts";
import { toFreshness } from "./refresh.ts";
import { toCount, toScalar } from "./values.ts";

const MONDAY = 1;

/** What is asked, as the query service takes it. Throws INVALID_REQUEST with field paths. */
export function toQuestion(question: ProtoQuestion | undefined): Question {
  const kind = question?.kind;
  switch (kind?.case) {
    case "aggregate":
      return { kind: "aggregate", query: toAggregateQuery(kind.value, "question.aggregate") };
    case "sql":
      return toSql(kind.value);
    default:
      throw invalidField("question", "an aggregate query or SQL must be set");
  }
}

function toSql({ sql, parameters, versions, freshness }: SqlQuery): Question {
  const asked = Object.entries(versions).map(([dataset, version]) => [dataset, toCount(version)] as const);
  const young = toFreshness(freshness, 0n, "question.sql.freshness");
  return {
    kind: "sql",
    sql,
    parameters: parameters.map((value, index) => toScalar(value, `question.sql.parameters[${index}]`)),
    ...(asked.length > 0 && { versions: Object.fromEntries(asked) }),
    ...(young && { freshness: young }),
  };
}

function toAggregateQuery(query: ProtoAggregateQuery, place: string): AggregateQuery {
  const freshness = toFreshness(query.freshness, query.version, `${place}.freshness`);
  return {
    dataset: query.dataset,
    version: toCount(query.version),
    calculatedColumns: toCalculatedColumns(query.calculatedColumns, `${place}.calculated_columns`),
    dimensions: query.dimensions.map((dimension, index) => toDimension(dimension, `${place}.dimensions[${index}]`)),
    measures: query.measures.map((measure, index) => toMeasure(measure, `${place}.measures[${index}]`)),
    calculatedMeasures: toCalculatedColumns(query.calculatedMeasures, `${place}.calculated_measures`),
    ...(query.filter && { filter: toFilter(query.filter, `${place}.filter`) }),
    ...(query.having && { having: toFilter(query.having, `${place}.having`) }),
    order: query.order.map(({ by, descending, nullsFirst }) => ({ by, descending, nullsFirst })),
    limit: toCount(query.limit),
    offset: toCount(query.offset),
    totals: wordOf(totals, query.totals, `${place}.totals`),
    ...(query.top && { top: toTop(query.top) }),
    ...(freshness && { freshness }),
  };
}

function toDimension({ column, alias, bucket }: ProtoDimension, place: string): Dimension {
  const named = { column, ...(alias && { alias }) };
  switch (bucket.case) {
    case "grain": {
      const { unit, zone, weekStart } = bucket.value;
      const word = wordOf(timeUnits, unit, `${place}.grain.unit`);
      return { ...named, bucket: { kind: "grain", unit: word, ...(zone && { zone }), weekStart: weekStart || MONDAY } };
    }
    case "part": {
      const { part, zone, weekStart } = bucket.value;
      const word = wordOf(timeParts, part, `${place}.part.part`);
      return { ...named, bucket: { kind: "part", part: word, ...(zone && { zone }), weekStart: weekStart || MONDAY } };
    }
    case "bin":
      return { ...named, bucket: { kind: "bin", width: bucket.value.width, origin: bucket.value.origin } };
    case undefined:
      return named;
  }
}

function toMeasure({ op, column, alias, quantile, filter }: ProtoMeasure, place: string): Measure {
  const word = wordOf(measureOps, op, `${place}.op`);
  return {
    op: word,
    ...(column !== undefined && { column }),
    ...(alias && { alias }),
    ...(word === "quantile" && { quantile }),
    ...(filter && { filter: toFilter(filter, `${place}.filter`) }),
  };
}

function toTop({ dimension, count, measure, ascending, others }: ProtoTopN): TopN {
  return { ...(dimension && { dimension }), count, measure, ascending, others };
}
