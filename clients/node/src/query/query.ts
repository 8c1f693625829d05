import { randomUUID } from "node:crypto";
import type { Table } from "apache-arrow";
import { clientError } from "../errors.ts";
import { columnsFrom, progressFrom, summaryFrom } from "../from-wire.ts";
import { Lane, QueryService, type Question, ResultFormat } from "../gen/drover/v1/query_service_pb.js";
import type { Labels, QuerySummary } from "../model.ts";
import { type Row, Rows, rowDecoder } from "../rows.ts";
import type { CallOptions, Transport } from "../transport.ts";
import type { IntegerMode, ResultValue } from "../values.ts";
import { endOfStream, tableFrom } from "./arrow.ts";
import { checkStream, type WireEvent } from "./check-stream.ts";
import type { Frame, QueryBatchEvent, QueryEvent } from "./events.ts";

/** What a query takes beside its question. */
export interface QueryOptions extends CallOptions {
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
 * `for await (… of query)`, `stream()`, `arrow()`. Leaving an iteration early cancels the query.
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
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.arrow()) {
      budget(chunk.byteLength);
      chunks.push(chunk);
    }
    return tableFrom(chunks);
  }

  /** The exact answer as the bytes of an Arrow IPC stream, piece by piece: to be passed on, for example to a browser. */
  async *arrow(): AsyncGenerator<Uint8Array, void, undefined> {
    let exact = false;
    for await (const event of this.#run(ResultFormat.ARROW)) {
      if (event.case === "frameStart") {
        exact = event.value.exact;
        if (exact) yield event.value.arrowSchema;
      } else if (event.case === "frameBatch" && exact) yield event.value.arrow;
    }
    yield endOfStream;
  }

  /** The query's life with whole frames. */
  async *[Symbol.asyncIterator](): AsyncGenerator<QueryEvent, void, undefined> {
    const budget = this.#budget();
    let frame = new FrameBuilder(0, false, []);
    for await (const event of this.#events(budget)) {
      if (event.type === "frameStart") frame = new FrameBuilder(event.frameId, event.exact, event.columns);
      else if (event.type === "batch") frame.add(event.batch);
      else if (event.type === "frameEnd") yield { type: "frame", frame: frame.build(event.rows) };
      else yield event;
    }
  }

  /** The query's life with frames in parts, for results of any size. A slow reader slows only this query. */
  stream(): AsyncGenerator<QueryBatchEvent, void, undefined> {
    return this.#events(undefined);
  }

  async *#events(budget: Budget | undefined): AsyncGenerator<QueryBatchEvent, void, undefined> {
    const integers = this.#options.integers ?? "bigint";
    let columns = columnsFrom([]);
    let decode = rowDecoder([], integers);
    for await (const { case: kind, value } of this.#run(ResultFormat.ROWS, budget)) {
      switch (kind) {
        case "accepted":
          yield { type: "accepted", operationId: value.operationId };
          break;
        case "progress":
          yield { type: "progress", progress: progressFrom(value) };
          break;
        case "frameStart":
          columns = columnsFrom(value.columns);
          decode = rowDecoder(columns, integers);
          yield { type: "frameStart", frameId: Number(value.frameId), exact: value.exact, columns };
          break;
        case "frameBatch":
          yield { type: "batch", frameId: Number(value.frameId), batch: new Rows(columns, decode(value.rows)) };
          break;
        case "frameEnd":
          yield { type: "frameEnd", frameId: Number(value.frameId), rows: Number(value.rows) };
          break;
        case "completed":
          yield { type: "completed", summary: summaryFrom(value) };
      }
    }
  }

  async *#run(format: ResultFormat, budget?: Budget): AsyncGenerator<WireEvent, void, undefined> {
    if (this.#consumed) throw clientError("ALREADY_CONSUMED", "this query has been run");
    this.#consumed = true;
    const request = {
      question: this.#question,
      operationId: this.operationId,
      format,
      lane: this.#options.lane === "batch" ? Lane.BATCH : Lane.INTERACTIVE,
      labels: { ...this.#options.labels },
    };
    const responses = this.#transport.stream(QueryService.method.runQuery, request, this.#options, budget);
    for await (const event of checkStream(responses)) {
      if (event.case === "completed") this.#summary = summaryFrom(event.value);
      yield event;
    }
  }

  #budget(): Budget {
    const limit = this.#options.maxResultBytes ?? defaultMaxResultBytes;
    let used = 0;
    return (bytes) => {
      used += bytes;
      if (used > limit)
        throw clientError("RESULT_OVER_LIMIT", `the result takes more than ${limit} bytes`, {
          metadata: { limitBytes: String(limit) },
        });
    };
  }
}

/** Counts bytes and throws when they are too many. */
type Budget = (bytes: number) => void;

class FrameBuilder {
  readonly #id: number;
  readonly #exact: boolean;
  readonly #columns: Frame["columns"];
  readonly #values: (readonly ResultValue[])[] = [];

  constructor(id: number, exact: boolean, columns: Frame["columns"]) {
    this.#id = id;
    this.#exact = exact;
    this.#columns = columns;
  }

  add(batch: Rows): void {
    for (const row of batch.values) this.#values.push(row);
  }

  build(rows: number): Frame {
    if (rows !== this.#values.length)
      throw clientError("UNEXPECTED_MESSAGE", `the driver sent ${this.#values.length} rows of a frame of ${rows}`);
    return new WholeFrame(this.#id, this.#exact, this.#columns, this.#values);
  }
}

class WholeFrame extends Rows implements Frame {
  readonly id: number;
  readonly exact: boolean;

  constructor(id: number, exact: boolean, columns: Frame["columns"], values: Frame["values"]) {
    super(columns, values);
    this.id = id;
    this.exact = exact;
  }
}
