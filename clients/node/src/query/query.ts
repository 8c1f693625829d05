import { randomUUID } from "node:crypto";
import type { Table } from "apache-arrow";
import { summaryFrom } from "../answers-from-wire.ts";
import { clientError } from "../errors.ts";
import { Lane, type Question, ResultFormat } from "../gen/drover/v1/query_service_pb.js";
import type { Labels, QuerySummary } from "../model.ts";
import type { Row } from "../rows.ts";
import type { CallOptions, Transport } from "../transport/transport.ts";
import type { IntegerMode } from "../values.ts";
import { batchEvents, wholeFrames } from "./answer-events.ts";
import { endOfStream, tableFrom } from "./arrow.ts";
import { checkStream, type WireEvent } from "./check-stream.ts";
import type { Frame, QueryBatchEvent, QueryEvent } from "./events.ts";
import { reattaching } from "./reattach.ts";

/** What a question does about a dataset that can't be read yet. */
export interface WaitOptions extends CallOptions {
  /**
   * Whether to fail at once (with DATASET_LOADING during a first load) instead of waiting, up to the time limit, for a load of the
   * dataset: its first one, or one that makes lost data again.
   */
  readonly noWait?: boolean | undefined;
}

/** What a query takes beside its question. */
export interface QueryOptions extends WaitOptions {
  /** Chosen by the client, so that the query can be found and cancelled. Default: a random UUID. */
  readonly operationId?: string | undefined;
  /** `interactive` (the default): somebody waits for it. `batch` leaves room for those. */
  readonly lane?: "interactive" | "batch" | undefined;
  readonly labels?: Labels | undefined;
  /** What integers of 64 bits and more become. Default: bigint. */
  readonly integers?: IntegerMode | undefined;
  /**
   * Bytes that a result which is held whole may take on the wire; a larger one is RESULT_OVER_LIMIT. `stream()` and
   * `arrow()` hold no more than a batch and have no limit. Default: 256 MiB.
   */
  readonly maxResultBytes?: number | undefined;
}

const defaultMaxResultBytes = 256 * 2 ** 20;

/**
 * A question that runs once, when it is first asked for its answer, in one of these ways: `rows()`, `frame()`, `table()`,
 * `for await (… of query)`, `stream()`, `arrow()`. Leaving an iteration early cancels the query. It goes on after a broken
 * connection; where its driver is lost it runs again at the next one, and a frame that was begun is replaced.
 */
export class Query implements AsyncIterable<QueryEvent> {
  /** The operation's id. */
  readonly operationId: string;
  readonly #transport: Transport;
  readonly #question: Question;
  readonly #options: QueryOptions;
  #consumed = false;
  #summary: QuerySummary | undefined;

  constructor(transport: Transport, question: Question, options: QueryOptions) {
    this.#transport = transport;
    this.#question = question;
    this.#options = options;
    this.operationId = options.operationId ?? randomUUID();
  }

  /** What the query took; undefined until it has succeeded. */
  get summary(): QuerySummary | undefined {
    return this.#summary;
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
    throw clientError("UNEXPECTED_MESSAGE", "the driver completed the query without an exact frame");
  }

  /** The exact answer as an Arrow table; needs the package `apache-arrow`. */
  async table(): Promise<Table> {
    const budget = this.#budget();
    let chunks: Uint8Array[] = [];
    for await (const { exact, begins, bytes } of this.#arrow(budget)) {
      if (!exact) continue;
      if (begins) chunks = [];
      chunks.push(bytes);
    }
    return tableFrom([...chunks, endOfStream]);
  }

  /**
   * The exact answer as the bytes of an Arrow IPC stream, piece by piece: to be passed on, for example to a browser. What has
   * been passed on can't be replaced: if the driver is lost after the first rows, it fails with INSTANCE_LOST.
   */
  async *arrow(): AsyncGenerator<Uint8Array, void, undefined> {
    let begun = false;
    let schema: Uint8Array | undefined;
    for await (const { exact, begins, bytes } of this.#arrow(undefined, () => !begun)) {
      if (!exact) continue;
      // The schema waits for the first rows, so that until then another driver may answer.
      if (begins) schema = bytes;
      else {
        begun = true;
        if (schema !== undefined) yield schema;
        schema = undefined;
        yield bytes;
      }
    }
    if (schema !== undefined) yield schema;
    yield endOfStream;
  }

  /** The query's life with whole frames. */
  async *[Symbol.asyncIterator](): AsyncGenerator<QueryEvent, void, undefined> {
    yield* wholeFrames(this.#events(this.#budget()));
  }

  /** The query's life with frames in parts, for results of any size. A slow reader slows only this query. */
  stream(): AsyncGenerator<QueryBatchEvent, void, undefined> {
    return this.#events(undefined);
  }

  #events(budget: Budget | undefined): AsyncGenerator<QueryBatchEvent, void, undefined> {
    return batchEvents(this.#run(ResultFormat.ROWS, budget), this.#options.integers ?? "bigint");
  }

  async *#arrow(budget: Budget | undefined, mayStartOver?: () => boolean): AsyncGenerator<ArrowPart, void, undefined> {
    let exact = false;
    for await (const event of this.#run(ResultFormat.ARROW, budget, mayStartOver)) {
      if (event.case === "frameStart") {
        exact = event.value.exact;
        yield { exact, begins: true, bytes: event.value.arrowSchema };
      } else if (event.case === "frameBatch") yield { exact, begins: false, bytes: event.value.arrow };
    }
  }

  async *#run(
    format: ResultFormat,
    budget?: Budget,
    mayStartOver?: () => boolean,
  ): AsyncGenerator<WireEvent, void, undefined> {
    if (this.#consumed) throw clientError("ALREADY_CONSUMED", "this query has been run");
    this.#consumed = true;
    const request = {
      question: this.#question,
      operationId: this.operationId,
      format,
      lane: this.#options.lane === "batch" ? Lane.BATCH : Lane.INTERACTIVE,
      labels: { ...this.#options.labels },
      noWait: this.#options.noWait ?? false,
    };
    const options = { ...this.#options, onBytes: budget?.add, mayStartOver };
    for await (const event of checkStream(reattaching(this.#transport, request, options))) {
      // A frame replaces the one before, so that only one is held.
      if (event.case === "frameStart") budget?.reset();
      if (event.case === "completed") this.#summary = summaryFrom(event.value);
      yield event;
    }
  }

  #budget(): Budget {
    const limit = this.#options.maxResultBytes ?? defaultMaxResultBytes;
    let used = 0;
    return {
      add: (bytes) => {
        used += bytes;
        if (used > limit)
          throw clientError("RESULT_OVER_LIMIT", `the result takes more than ${limit} bytes`, {
            metadata: { limitBytes: String(limit) },
          });
      },
      reset: () => {
        used = 0;
      },
    };
  }
}

/** Counts bytes and throws when they are too many. */
interface Budget {
  readonly add: (bytes: number) => void;
  readonly reset: () => void;
}

/** A piece of a frame as Arrow. */
interface ArrowPart {
  readonly exact: boolean;
  /** Whether it is the schema, with which a frame begins. */
  readonly begins: boolean;
  readonly bytes: Uint8Array;
}
