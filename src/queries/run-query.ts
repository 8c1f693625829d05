import type { Access } from "../access/model.ts";
import type { QueryResult, ResultBatch } from "../engine/engine.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { JsonObject, OperationHandle, OperationProgress, OperationRequest } from "../operations/model.ts";
import type { Lane, Permit } from "../scheduling/model.ts";
import type { LoadWaits } from "./await-load.ts";
import { type EventSink, EventStream } from "./event-stream.ts";
import type { QueryCompletion, QueryEvent, ResultFormat } from "./events.ts";
import { makeFresh } from "./make-fresh.ts";
import type { Question } from "./model.ts";
import type { QueryServiceParts } from "./parts.ts";
import { type PreparedQuestion, prepareQuestion } from "./prepare.ts";
import type { Lifetime, ReattachableRequest } from "./reattachable-queries.ts";

export interface RunOptions {
  /** Chosen by the client; made when left out. */
  readonly operationId?: string;
  readonly lane: Lane;
  readonly labels: Readonly<Record<string, string>>;
  /** Who asks: shown in the history. */
  readonly requestedBy: string;
  /** What he may see, and whose the query is. */
  readonly access: Access;
  /** Whose turn it is in the pool. */
  readonly caller: string;
  readonly signal: AbortSignal;
  /** Whether to wait for a load of a dataset that can't be read yet. Default: yes. */
  readonly wait?: boolean;
  readonly format: ResultFormat;
  /** Makes what ends the query where leaving the call does not; left out for a query that ends with its call. */
  readonly lifetime?: () => Lifetime;
}

export interface RunParts extends QueryServiceParts {
  readonly waits: LoadWaits;
}

/** A query whose first rows may be asked for. */
interface Started extends AsyncDisposable {
  readonly permit: Permit;
  readonly begun: number;
  readonly prepared: PreparedQuestion;
  readonly planned: number;
  readonly result: QueryResult;
  /** What fails before the first rows may be mended by a load. */
  readonly first: ResultBatch | undefined;
}

/** For now a query has one frame, the exact one. */
const FRAME_ID = 1;
/**
 * Values of rows take about twice their bytes on the wire, and each is an object on the way there: 32,768 of them would hold up
 * the event loop for 100 ms and pass 1 MiB.
 */
export const ROW_BATCH = { maxBatchBytes: 256 * 1024, maxBatchRows: 2_048 };

/** Runs a question as an operation and gives its events. Leaving the loop cancels the query and waits for its end. */
export async function* runQuery(
  parts: RunParts,
  question: Question,
  options: RunOptions,
): AsyncGenerator<QueryEvent, void, undefined> {
  const left = new AbortController();
  const signal = AbortSignal.any([options.signal, left.signal]);
  const stream = new EventStream();
  const { id, done } = parts.operations.run(
    operationOf(question, options),
    (handle) => execute(parts, question, options, handle, stream),
    { signal },
  );
  // Whatever the end is, the reader wakes; the reason is taken from `done` itself.
  const settled = done.then(
    () => stream.end(),
    () => stream.end(),
  );
  try {
    yield { type: "accepted", operationId: id };
    yield* stream.events();
    yield { type: "completed", completion: await done };
  } finally {
    left.abort(new DriverError("CANCELLED", "the reader of the query left"));
    await settled;
  }
}

/** A question as an operation whose events go elsewhere. */
export function reattachableWork(
  parts: RunParts,
  question: Question,
  options: RunOptions,
): Pick<ReattachableRequest, "operation" | "work"> {
  return {
    operation: operationOf(question, options),
    work: (handle, sink) => execute(parts, question, options, handle, sink),
  };
}

async function execute(
  parts: RunParts,
  question: Question,
  options: RunOptions,
  handle: OperationHandle,
  stream: EventSink,
): Promise<{ result: QueryCompletion; outcome: JsonObject }> {
  const { signal } = handle;
  const { requestedBy, access, caller, wait = true } = options;
  // The query's own progress begins after that of a load.
  const onProgress = (progress: OperationProgress) => {
    handle.report({ phase: progress.phase });
    stream.offerProgress(progress);
  };
  const awaiting = { requestedBy, access, caller, wait, signal, onProgress };
  const started = await parts.waits.run(async () => {
    await makeFresh(question, parts, awaiting);
    return start(parts, question, options, handle, stream);
  }, awaiting);
  await using _ = started;
  const { permit, begun, prepared, planned, result, first } = started;
  const { rows, encodedMs } = await sendFrame(result, first, options.format, (event) =>
    stream.push(event, { signal }),
  ).catch(async (error) => {
    throw await prepared.versions.explain(error);
  });
  const executed = performance.now();
  const completion: QueryCompletion = {
    rows,
    timings: {
      queuedMs: permit.queuedMs,
      plannedMs: planned - begun,
      executedMs: executed - planned - encodedMs,
      encodedMs,
    },
    ...prepared.versions.cost(prepared.planned?.plan),
    versions: prepared.versions.numbers(),
  };
  return { result: completion, outcome: { ...completion } };
}

/** Takes a place in the pool, plans, and starts the engine; holds nothing if that fails. */
async function start(
  parts: RunParts,
  question: Question,
  { lane, caller, format, access }: RunOptions,
  handle: OperationHandle,
  stream: EventSink,
): Promise<Started> {
  const { signal } = handle;
  await using stack = new AsyncDisposableStack();
  const permit = stack.use(await parts.pool.acquire({ signal, lane, caller }));
  const begun = performance.now();
  const prepared = stack.use(await prepareQuestion(question, parts, { signal, access }));
  handle.begin();
  const planned = performance.now();
  const onProgress = ({ fraction, rows }: { fraction: number | undefined; rows: number }) => {
    // How many rows are read tells of those that are not to be seen.
    handle.report({ fraction, ...(!prepared.versions.isPartial && { rows }), phase: "executing" });
    const progress = parts.operations.find(handle.id)?.progress;
    if (progress) stream.offerProgress(progress);
  };
  const limits = format === "rows" ? ROW_BATCH : {};
  try {
    const result = stack.use(await parts.engine.query(prepared.statement(), { signal, onProgress, ...limits }));
    const first = await result.next();
    const held = stack.move();
    return { permit, begun, prepared, planned, result, first, [Symbol.asyncDispose]: () => held.disposeAsync() };
  } catch (error) {
    throw await prepared.versions.explain(error);
  }
}

async function sendFrame(
  result: QueryResult,
  first: ResultBatch | undefined,
  format: ResultFormat,
  push: (event: QueryEvent) => Promise<void>,
): Promise<{ readonly rows: number; readonly encodedMs: number }> {
  const { columns } = result;
  const schema = format === "arrow" ? { arrowSchema: result.arrowSchema() } : {};
  await push({ type: "frameStart", frameId: FRAME_ID, exact: true, columns, ...schema });
  let [rows, encodedMs, seq] = [0, 0, 0];
  for (let batch = first; batch !== undefined; batch = await result.next()) {
    const started = performance.now();
    const content = format === "arrow" ? { arrow: batch.toArrow() } : { rows: batch.toRows() };
    encodedMs += performance.now() - started;
    rows += batch.rows;
    seq += 1;
    await push({ type: "frameBatch", frameId: FRAME_ID, seq, ...content });
  }
  await push({ type: "frameEnd", frameId: FRAME_ID, rows });
  return { rows, encodedMs };
}

function operationOf(question: Question, { operationId, requestedBy, access, labels }: RunOptions): OperationRequest {
  return {
    ...(operationId !== undefined && { id: operationId }),
    kind: "query",
    dataset: question.kind === "aggregate" ? question.query.dataset : "",
    requestedBy,
    whose: access,
    labels,
    configuration: configurationOf(question),
  };
}

/** What is asked, for the history. */
export function configurationOf(question: Question): JsonObject {
  if (question.kind === "aggregate") return { aggregate: question.query };
  const { sql, parameters, versions, freshness } = question;
  return {
    sql,
    ...(parameters.length > 0 && { parameters }),
    ...(versions !== undefined && { versions }),
    ...(freshness !== undefined && { freshness }),
  };
}
