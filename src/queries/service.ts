import type { Column } from "../engine/types.ts";
import { collectAnswer, type QueryAnswer } from "./answer.ts";
import type { QueryEvent } from "./events.ts";
import { planJson, planText } from "./explain.ts";
import { type ListRowsRequest, listRows, type RowsPage, rowsPosition } from "./list-rows.ts";
import { type ListValuesRequest, listValues, type ValuesPage, valuesPosition } from "./list-values.ts";
import type { Question } from "./model.ts";
import type { QueryServiceParts } from "./parts.ts";
import { prepareQuestion } from "./prepare.ts";
import { type RunOptions, runQuery } from "./run-query.ts";
import { type Statistics, type StatisticsRequest, statistics } from "./statistics.ts";
import { PinnedVersions } from "./versions.ts";

/** Who asks, and until when. */
export interface CallOptions {
  readonly caller: string;
  readonly signal: AbortSignal;
}

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
  /** Runs a question as an operation. The events come as they are asked for; leaving the loop cancels the query. */
  run(question: Question, options: RunOptions): AsyncIterable<QueryEvent>;
  /** Runs a question and gives the final result. Throws RESULT_TOO_LARGE. */
  query(question: Question, options: Omit<RunOptions, "format">): Promise<QueryAnswer>;
  explain(question: Question, options: CallOptions): Promise<Explanation>;
  listRows(request: ListRowsRequest, options: CallOptions): Promise<RowsPage>;
  listValues(request: ListValuesRequest, options: CallOptions): Promise<ValuesPage>;
  statistics(request: StatisticsRequest, options: CallOptions): Promise<Statistics>;
}

export function createQueryService(parts: QueryServiceParts): QueryService {
  const { limits } = parts;
  return {
    run: (question, options) => runQuery(parts, question, options),
    query: (question, options) =>
      collectAnswer(runQuery(parts, question, { ...options, format: "rows" }), limits.maxAnswerBytes),
    explain: (question, options) => explain(parts, question, options),
    async listRows(request, options) {
      const position = rowsPosition(request);
      return reading(parts, request.dataset, position?.version ?? request.version, options, (versions) =>
        listRows(parts.engine, versions, request, position, { ...options, maxBytes: limits.maxPageBytes }),
      );
    },
    async listValues(request, options) {
      const position = valuesPosition(request);
      return reading(parts, request.dataset, position?.version ?? request.version, options, (versions) =>
        listValues(parts.engine, versions, request, position, options),
      );
    },
    statistics: (request, options) =>
      reading(parts, request.dataset, request.version, options, (versions) =>
        statistics(parts.engine, versions, request, options),
      ),
  };
}

/** Does something with a place in the pool and a pinned version. */
async function reading<T>(
  { pool, datasets }: QueryServiceParts,
  dataset: string,
  version: number,
  { signal, caller }: CallOptions,
  work: (versions: PinnedVersions) => Promise<T>,
): Promise<T> {
  using _ = await pool.acquire({ signal, lane: "interactive", caller });
  await using versions = await PinnedVersions.pin(datasets, [{ dataset, version }], { signal });
  return await work(versions);
}

async function explain(
  parts: QueryServiceParts,
  question: Question,
  { signal, caller }: CallOptions,
): Promise<Explanation> {
  const { engine, pool } = parts;
  using _ = await pool.acquire({ signal, lane: "interactive", caller });
  await using prepared = await prepareQuestion(question, parts, { signal });
  // Where datasets are stored is nobody's business; as tables in memory they go by their names.
  const shown = prepared.versions.all().map((version) => ({ ...version, residentTable: version.dataset }));
  const statement = prepared.statement(shown).text;
  if (prepared.planned !== undefined) {
    const { plan, columns } = prepared.planned;
    return { plan: planJson(plan), text: planText(plan), statement, columns };
  }
  const columns = await engine.describe(prepared.statement(), { signal });
  return { plan: {}, text: "", statement, columns };
}
