import type { Client } from "@connectrpc/connect";
import { abortError, clientError } from "../errors.ts";
import {
  Lane,
  type QueryService,
  type Question,
  ResultFormat,
  type RunQueryResponse,
} from "../gen/drover/v1/query_service_pb.js";
import type { Labels } from "../model.ts";
import { batchEvents, wholeFrames } from "../query/answer-events.ts";
import { checkStream } from "../query/check-stream.ts";
import type { Frame, QueryBatchEvent, QueryEvent } from "../query/events.ts";
import type { Row } from "../rows.ts";
import type { IntegerMode } from "../values.ts";
import { fromConnectError } from "./connect-error.ts";

/** What a query takes beside its question. */
export interface BrowserQueryOptions {
  /** Aborting it cancels the query in the driver. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until it fails with DEADLINE_EXCEEDED. Default: none. */
  readonly timeoutMs?: number | undefined;
  /** `interactive` (the default): somebody waits for it. `batch` leaves room for those. */
  readonly lane?: "interactive" | "batch" | undefined;
  readonly labels?: Labels | undefined;
  /** What integers of 64 bits and more become. Default: bigint. */
  readonly integers?: IntegerMode | undefined;
  /** Rows of a result that is held whole; a larger one is RESULT_OVER_LIMIT. `stream()` has no limit. Default: 100,000. */
  readonly maxRows?: number | undefined;
}

const defaultMaxRows = 100_000;

/**
 * A question that runs once, when it is first asked for its answer, in one of these ways: `rows()`, `frame()`,
 * `for await (… of query)`, `stream()`. Leaving an iteration early cancels the query.
 */
export class BrowserQuery implements AsyncIterable<QueryEvent> {
  readonly #queries: Client<typeof QueryService>;
  readonly #question: Question;
  readonly #options: BrowserQueryOptions;
  #consumed = false;

  constructor(queries: Client<typeof QueryService>, question: Question, options: BrowserQueryOptions) {
    this.#queries = queries;
    this.#question = question;
    this.#options = options;
  }

  /** The exact answer as objects. */
  async rows<T extends object = Row>(): Promise<T[]> {
    return (await this.frame()).rows as T[];
  }

  /** The exact answer with its columns. */
  async frame(): Promise<Frame> {
    let last: Frame | undefined;
    for await (const event of this) if (event.type === "frame") last = event.frame;
    if (last?.exact) return last;
    throw clientError("UNEXPECTED_MESSAGE", "the query was completed without an exact frame");
  }

  /** The query's life with whole frames. */
  [Symbol.asyncIterator](): AsyncGenerator<QueryEvent, void, undefined> {
    return wholeFrames(atMost(this.#options.maxRows ?? defaultMaxRows, this.stream()));
  }

  /** The query's life with frames in parts, for results of any size. */
  stream(): AsyncGenerator<QueryBatchEvent, void, undefined> {
    return batchEvents(checkStream(this.#run()), this.#options.integers ?? "bigint");
  }

  async *#run(): AsyncGenerator<RunQueryResponse, void, undefined> {
    if (this.#consumed) throw clientError("ALREADY_CONSUMED", "this query has been run");
    this.#consumed = true;
    const { signal, timeoutMs, lane, labels } = this.#options;
    // Connect does not end its request when the loop over the answer is left.
    const left = new AbortController();
    const request = {
      question: this.#question,
      format: ResultFormat.ROWS,
      lane: lane === "batch" ? Lane.BATCH : Lane.INTERACTIVE,
      labels: { ...labels },
    };
    const call = {
      signal: signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]),
      ...(timeoutMs !== undefined && { timeoutMs }),
    };
    let begun = false;
    try {
      for await (const response of this.#queries.runQuery(request, call)) {
        begun = true;
        yield response;
      }
    } catch (error) {
      throw signal?.aborted ? abortError(signal.reason) : fromConnectError(error, begun);
    } finally {
      left.abort();
    }
  }
}

async function* atMost(
  rows: number,
  events: AsyncIterable<QueryBatchEvent>,
): AsyncGenerator<QueryBatchEvent, void, undefined> {
  let held = 0;
  for await (const event of events) {
    if (event.type === "frameStart") held = 0;
    if (event.type === "batch") held += event.batch.values.length;
    if (held > rows)
      throw clientError("RESULT_OVER_LIMIT", `the result has more than ${rows} rows`, {
        metadata: { limitRows: String(rows) },
      });
    yield event;
  }
}
