import { create } from "@bufbuild/protobuf";
import { DriverError } from "../../errors/driver-error.ts";
import type { Filter } from "../../gen/drover/v1/query_pb.js";
import {
  ExplainQueryResponseSchema,
  type ExportQueryResponse,
  GetStatisticsResponseSchema,
  Lane,
  ListRowsResponseSchema,
  ListValuesResponseSchema,
  type Question as ProtoQuestion,
  QueryResponseSchema,
  QueryService,
  ResultFormat,
  type RunQueryResponse,
  type WatchQueryResponse,
} from "../../gen/drover/v1/query_service_pb.js";
import type { Freshness } from "../../gen/drover/v1/refresh_pb.js";
import type { Metrics } from "../../observability/metrics.ts";
import type { QueryCompletion, ResultFormat as ServiceFormat } from "../../queries/events.ts";
import type { CallOptions, QueryService as Queries } from "../../queries/service.ts";
import type { Lane as PoolLane } from "../../scheduling/model.ts";
import type { Call } from "../call.ts";
import { fromColumn, fromColumns } from "../mapping/columns.ts";
import { toFilter } from "../mapping/filters.ts";
import { fromCompletion, fromQueryEvent } from "../mapping/query-events.ts";
import { toQuestion } from "../mapping/questions.ts";
import { toFreshness } from "../mapping/refresh.ts";
import { fromStatistics } from "../mapping/statistics.ts";
import { fromJsonValue, fromRow, toCount, toStruct } from "../mapping/values.ts";
import { type BoundMethod, bindService } from "../service.ts";
import { lifetime, timeLimit } from "../time-limit.ts";
import { whileRead } from "../while-read.ts";
import { type ExportOptions, exported } from "./export.ts";

export interface QueryHandlerParts extends ExportOptions {
  readonly queries: Queries;
  readonly metrics: Metrics;
  /** The `limits.queryTimeout` setting; 0 for none. */
  readonly timeoutMs: number;
}

export function queryService({
  queries,
  metrics,
  timeoutMs,
  readerTimeoutMs,
  exports,
}: QueryHandlerParts): readonly BoundMethod[] {
  const within = async <T>(
    call: Call,
    { noWait }: { readonly noWait: boolean },
    work: (options: CallOptions) => Promise<T>,
  ): Promise<T> => {
    using limit = timeLimit(call.signal, timeoutMs);
    return await work({
      caller: call.turn,
      requestedBy: call.requestedBy,
      access: call.access,
      signal: limit.signal,
      wait: !noWait,
    });
  };
  const count = counter(metrics);
  metrics.collect((set) => set("drover_query_spool_bytes", [], queries.spoolBytes));
  return bindService(
    QueryService,
    {
      roles: {
        runQuery: "reader",
        watchQuery: "reader",
        query: "reader",
        explainQuery: "reader",
        listRows: "reader",
        listValues: "reader",
        getStatistics: "reader",
        exportQuery: "reader",
      },
      awaited: ["watchQuery"],
      work: ["runQuery", "query", "listRows", "listValues", "getStatistics", "exportQuery"],
    },
    {
      async *runQuery(request, call): AsyncGenerator<RunQueryResponse> {
        const { question, operationId, format, lane, labels, reattachable, noWait } = request;
        // The end of its call is not the end of a query that is reattachable.
        using limit = timeLimit(call.signal, reattachable ? 0 : timeoutMs);
        const options = {
          ...(operationId && { operationId }),
          lane: toLane(lane),
          labels,
          requestedBy: call.requestedBy,
          access: call.access,
          caller: call.turn,
          wait: !noWait,
          format: toFormat(format, call),
          ...(reattachable && {
            lifetime: () => lifetime({ timeoutMs, deadlineMs: call.deadlineMs, tokenEnd: call.tokenEnd }),
          }),
        };
        const run = (signal: AbortSignal) => queries.run(toQuestion(question), { ...options, signal });
        try {
          for await (const event of whileRead(run, { signal: limit.signal, timeoutMs: readerTimeoutMs })) {
            if (event.type === "accepted") call.operationId = event.operationId;
            if (event.type === "completed") count(event.completion);
            yield fromQueryEvent(event);
          }
        } catch (error) {
          throw placed(error, question);
        }
      },
      async *watchQuery({ operationId, afterEventId }, call): AsyncGenerator<WatchQueryResponse> {
        call.operationId = operationId;
        const who = { requestedBy: call.requestedBy, access: call.access };
        const after = toCount(afterEventId);
        const watch = (signal: AbortSignal) => queries.watch(operationId, after, { ...who, signal });
        for await (const event of whileRead(watch, { signal: call.signal, timeoutMs: readerTimeoutMs })) {
          if (event.type === "completed") count(event.completion);
          yield { $typeName: "drover.v1.WatchQueryResponse", event: fromQueryEvent(event) };
        }
      },
      query: ({ question, operationId, lane, labels, ...request }, call) =>
        within(call, request, async (options) => {
          const asked = { ...options, ...(operationId && { operationId }), lane: toLane(lane), labels };
          const answer = await queries.query(toQuestion(question), asked).catch((error: unknown) => {
            throw placed(error, question);
          });
          call.operationId = answer.operationId;
          count(answer.completion);
          return create(QueryResponseSchema, {
            columns: fromColumns(answer.columns),
            rows: answer.rows.map(fromRow),
            completed: fromCompletion(answer.completion),
            operationId: answer.operationId,
          });
        }),
      async *exportQuery({ question, ...request }, call): AsyncGenerator<ExportQueryResponse> {
        const subject = { kind: "question", question: toQuestion(question) } as const;
        try {
          for await (const event of exported({ exports, readerTimeoutMs }, subject, request, call))
            yield { $typeName: "drover.v1.ExportQueryResponse", event };
        } catch (error) {
          throw placed(error, question);
        }
      },
      explainQuery: ({ question, ...request }, call) =>
        within(call, request, async (options) => {
          const explained = await queries.explain(toQuestion(question), options).catch((error: unknown) => {
            throw placed(error, question);
          });
          const { plan, text, statement, columns } = explained;
          return create(ExplainQueryResponseSchema, {
            ...(Object.keys(plan).length > 0 && { plan: toStruct(plan) }),
            text,
            statement,
            columns: fromColumns(columns),
          });
        }),
      listRows: ({ version, filter, freshness, ...request }, call) =>
        within(call, request, async (options) => {
          const page = await queries.listRows(
            { ...request, version: toCount(version), ...narrowing(filter, freshness, version) },
            options,
          );
          return create(ListRowsResponseSchema, {
            columns: fromColumns(page.columns),
            rows: page.rows.map(fromRow),
            nextPageToken: page.nextPageToken,
            version: BigInt(page.version),
          });
        }),
      listValues: ({ version, filter, freshness, ...request }, call) =>
        within(call, request, async (options) => {
          const page = await queries.listValues(
            { ...request, version: toCount(version), ...narrowing(filter, freshness, version) },
            options,
          );
          return create(ListValuesResponseSchema, {
            column: fromColumn(page.column),
            values: page.values.map(({ value, count }) => ({ value: fromJsonValue(value), count: BigInt(count) })),
            nextPageToken: page.nextPageToken,
            version: BigInt(page.version),
          });
        }),
      getStatistics: ({ version, filter, freshness, ...request }, call) =>
        within(call, request, async (options) => {
          const found = await queries.statistics(
            { ...request, version: toCount(version), ...narrowing(filter, freshness, version) },
            options,
          );
          return create(GetStatisticsResponseSchema, {
            rows: BigInt(found.rows),
            columns: found.columns.map(fromStatistics),
            version: BigInt(found.version),
          });
        }),
    },
  );
}

function narrowing(filter: Filter | undefined, freshness: Freshness | undefined, version: bigint) {
  const young = toFreshness(freshness, version, "freshness");
  return { ...(filter && { filter: toFilter(filter, "filter") }), ...(young && { freshness: young }) };
}

function toLane(lane: Lane): PoolLane {
  return lane === Lane.BATCH ? "batch" : "interactive";
}

function toFormat(format: ResultFormat, { json }: Call): ServiceFormat {
  if (format === ResultFormat.UNSPECIFIED) return json ? "rows" : "arrow";
  return format === ResultFormat.ROWS ? "rows" : "arrow";
}

/** The query service names fields within the aggregate query; clients know them from the request's root. */
function placed(error: unknown, question: ProtoQuestion | undefined): unknown {
  if (!(error instanceof DriverError) || question?.kind.case !== "aggregate" || error.violations.length === 0)
    return error;
  const prefix = "question.aggregate";
  const violations = error.violations.map(({ field, description }) => ({
    field: field.startsWith("question") ? field : field === "" ? prefix : `${prefix}.${field}`,
    description,
  }));
  return new DriverError(error.reason, error.message, { metadata: error.metadata, violations, cause: error });
}

/** Counts what queries took, each once, however many readers hear of its end. */
function counter(metrics: Metrics): (completion: QueryCompletion) => void {
  const counted = new WeakSet<QueryCompletion>();
  return (completion) => {
    if (counted.has(completion)) return;
    counted.add(completion);
    const { timings, rows, rowsScanned } = completion;
    metrics.observe("drover_query_phase_seconds", ["queued"], timings.queuedMs / 1000);
    metrics.observe("drover_query_phase_seconds", ["planned"], timings.plannedMs / 1000);
    metrics.observe("drover_query_phase_seconds", ["executed"], timings.executedMs / 1000);
    metrics.observe("drover_query_phase_seconds", ["encoded"], timings.encodedMs / 1000);
    metrics.count("drover_query_rows_total", [], rows);
    metrics.count("drover_query_scanned_rows_total", [], rowsScanned);
  };
}
