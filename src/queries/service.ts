import type { Access } from "../access/model.ts";
import type { Column } from "../engine/types.ts";
import { collectAnswer, type QueryAnswer } from "./answer.ts";
import { LoadWaits } from "./await-load.ts";
import type { NumberedEvent } from "./events.ts";
import { planJson, planText } from "./explain.ts";
import { type ListRowsRequest, listRows, type RowsPage, rowsPosition } from "./list-rows.ts";
import { type ListValuesRequest, listValues, type ValuesPage, valuesPosition } from "./list-values.ts";
import { makeDatasetFresh } from "./make-fresh.ts";
import type { Freshness, Question } from "./model.ts";
import type { QueryServiceParts } from "./parts.ts";
import { prepareQuestion } from "./prepare.ts";
import { ReattachableQueries, type WatchOptions } from "./reattachable-queries.ts";
import { type RunOptions, type RunParts, reattachableWork, runQuery } from "./run-query.ts";
import { type Statistics, type StatisticsRequest, statistics } from "./statistics.ts";
import { PinnedVersions } from "./versions.ts";

/** Until when, and whose turn it is in the pool. */
export interface CallOptions {
  /** Who asks. */
  readonly requestedBy: string;
  /** What he may see, and whose the operation is. */
  readonly access: Access;
  /** Whether to wait for a load of a dataset that can't be read yet. Default: yes. */
  readonly wait?: boolean;
  readonly caller: string;
  readonly signal: AbortSignal;
}

/** As it is asked: the scope is that of the call. */
type Unscoped<T> = Omit<T, "scopeHash">;

/** How a question would be answered. */
export interface Explanation {
  /** The plan as a JSON object; empty for SQL. */
  readonly plan: Readonly<Record<string, unknown>>;
  /** The plan as indented text; empty for SQL. */
  readonly text: string;
  /** The engine's statement, with datasets by name instead of where they are stored. */
  readonly statement: string;
  readonly columns: readonly Column[];
}

/** Answers questions to datasets. Every method throws DriverErrors, whose field paths are relative to its request. */
export interface QueryService {
  /**
   * Runs a question as an operation. The events come as they are asked for; leaving the loop cancels the query, or with a
   * lifetime of its own detaches it. With the id of such a query, while it is kept, and the same question it attaches to
   * it from the beginning.
   */
  run(question: Question, options: RunOptions): AsyncIterable<NumberedEvent>;
  /** Goes on after an event with a query that has a lifetime of its own, in place of its reader. Leaving the loop detaches it. */
  watch(id: string, afterEventId: number, options: WatchOptions): AsyncIterable<NumberedEvent>;
  /** Bytes that are kept of queries with a lifetime of their own. */
  readonly spoolBytes: number;
  /** Settles when readers that were cut off have come back for the rest of what has ended, or can't be expected any more. */
  settled(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Runs a question and gives the final result. Throws RESULT_TOO_LARGE. */
  query(question: Question, options: Omit<RunOptions, "format">): Promise<QueryAnswer>;
  explain(question: Question, options: CallOptions): Promise<Explanation>;
  listRows(request: Unscoped<ListRowsRequest>, options: CallOptions): Promise<RowsPage>;
  listValues(request: Unscoped<ListValuesRequest>, options: CallOptions): Promise<ValuesPage>;
  statistics(request: StatisticsRequest, options: CallOptions): Promise<Statistics>;
}

export function createQueryService(given: QueryServiceParts): QueryService {
  const { limits } = given;
  const parts = { ...given, waits: new LoadWaits(given.loads, { maxWaiting: given.pool.status().maxQueued }) };
  const reattachable = new ReattachableQueries(parts.operations, limits, parts.onReattach);
  return {
    run: (question, options) => {
      const { operationId, lifetime } = options;
      const asked = askedOf(question, options);
      const attached = operationId === undefined ? undefined : reattachable.attach(operationId, asked, options);
      if (attached !== undefined) return attached;
      if (lifetime === undefined) return runQuery(parts, question, options);
      return reattachable.start({ asked, lifetime, ...reattachableWork(parts, question, options) }, options);
    },
    watch: (id, afterEventId, options) => reattachable.watch(id, afterEventId, options),
    get spoolBytes() {
      return reattachable.bytes;
    },
    settled: (options) => reattachable.settled(options),
    query: (question, options) =>
      collectAnswer(runQuery(parts, question, { ...options, format: "rows" }), limits.maxAnswerBytes),
    explain: (question, options) => explain(parts, question, options),
    async listRows(asked, options) {
      const request = { ...asked, scopeHash: options.access.scopeHash };
      const position = rowsPosition(request);
      return reading(parts, pageOf(request, position), options, (versions) =>
        listRows(parts.engine, versions, request, position, { ...options, maxBytes: limits.maxPageBytes }),
      );
    },
    async listValues(asked, options) {
      const request = { ...asked, scopeHash: options.access.scopeHash };
      const position = valuesPosition(request);
      return reading(parts, pageOf(request, position), options, (versions) =>
        listValues(parts.engine, versions, request, position, options),
      );
    },
    statistics: (request, options) =>
      reading(parts, request, options, (versions) => statistics(parts.engine, versions, request, options)),
  };
}

/** What tells one call's question from another's. */
function askedOf(question: Question, { format, requestedBy, access }: RunOptions): unknown {
  return { question, format, requestedBy, owner: access.owner, scopeHash: access.scopeHash };
}

/** What is read: a version, or the current one if it is young enough. */
interface Place {
  readonly dataset: string;
  readonly version: number;
  readonly freshness?: Freshness;
}

/** The first page's version is that of all others. */
function pageOf(request: Place, position: { readonly version: number } | undefined): Place {
  return position === undefined ? request : { dataset: request.dataset, version: position.version };
}

/** Does something with a place in the pool and a pinned version. */
async function reading<T>(
  parts: RunParts,
  { dataset, version, freshness }: Place,
  { signal, caller, requestedBy, access, wait = true }: CallOptions,
  work: (versions: PinnedVersions) => Promise<T>,
): Promise<T> {
  const { pool, datasets, waits } = parts;
  const awaiting = { signal, caller, requestedBy, access, wait };
  const read = async () => {
    await makeDatasetFresh(parts, dataset, freshness, awaiting);
    using _ = await pool.acquire({ signal, lane: "interactive", caller });
    await using versions = await PinnedVersions.pin(datasets, [{ dataset, version }], { signal, access });
    return await work(versions).catch(async (error) => {
      throw await versions.explain(error);
    });
  };
  return await waits.run(read, awaiting);
}

async function explain(parts: RunParts, question: Question, options: CallOptions): Promise<Explanation> {
  const { wait = true } = options;
  return await parts.waits.run(() => explainNow(parts, question, options), { ...options, wait });
}

async function explainNow(
  parts: RunParts,
  question: Question,
  { signal, caller, access }: CallOptions,
): Promise<Explanation> {
  const { engine, pool } = parts;
  using _ = await pool.acquire({ signal, lane: "interactive", caller });
  await using prepared = await prepareQuestion(question, parts, { signal, access });
  // Where datasets are stored is nobody's business, nor what is held back of them; as tables in memory they go by their names.
  const shown = prepared.versions.all().map(({ view, ...version }) => ({
    ...version,
    residentTable: version.dataset,
    ...(view && { view: { columns: view.columns } }),
  }));
  const statement = prepared.statement(shown).text;
  if (prepared.planned !== undefined) {
    const { plan, columns } = prepared.planned;
    return { plan: planJson(plan), text: planText(plan), statement, columns };
  }
  const columns = await engine.describe(prepared.statement(), { signal });
  return { plan: {}, text: "", statement, columns };
}
