import { columnsFrom, progressFrom, summaryFrom } from "../answers-from-wire.ts";
import { clientError } from "../errors.ts";
import { Rows, rowDecoder } from "../rows.ts";
import type { IntegerMode, ResultValue } from "../values.ts";
import type { WireEvent } from "./check-stream.ts";
import type { Frame, QueryBatchEvent, QueryEvent } from "./events.ts";

/** Decodes the events of a query whose rows travel as values. */
export async function* batchEvents(
  events: AsyncIterable<WireEvent>,
  integers: IntegerMode,
): AsyncGenerator<QueryBatchEvent, void, undefined> {
  let columns = columnsFrom([]);
  let decode = rowDecoder([], integers);
  for await (const { case: kind, value } of events) {
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

/** Puts the parts of each frame together. */
export async function* wholeFrames(
  events: AsyncIterable<QueryBatchEvent>,
): AsyncGenerator<QueryEvent, void, undefined> {
  let frame = new FrameBuilder(0, false, []);
  for await (const event of events) {
    if (event.type === "frameStart") frame = new FrameBuilder(event.frameId, event.exact, event.columns);
    else if (event.type === "batch") frame.add(event.batch);
    else if (event.type === "frameEnd") yield { type: "frame", frame: frame.build(event.rows) };
    else yield event;
  }
}

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
