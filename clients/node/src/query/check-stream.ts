import { clientError } from "../errors.ts";
import type { RunQueryResponse } from "../gen/drover/v1/query_service_pb.js";

/** An event as the contract carries it; events that a newer driver may add are left out. */
export type WireEvent = Extract<RunQueryResponse["event"], { case: string }>;

/**
 * Passes the events of a query on and holds them to the contract: batches belong to the frame that was started, none is
 * missing, and the stream ends with `completed`. What breaks it is STREAM_CUT or UNEXPECTED_MESSAGE, never a short result.
 */
export async function* checkStream(
  responses: AsyncIterable<RunQueryResponse>,
): AsyncGenerator<WireEvent, void, undefined> {
  const frame = new FrameCheck();
  let completed = false;
  for await (const { event } of responses) {
    if (event.case === undefined) continue;
    frame.accept(event);
    completed = event.case === "completed";
    yield event;
  }
  if (!completed) throw clientError("STREAM_CUT", "the query's stream ended before the query was completed");
}

class FrameCheck {
  #open: bigint | undefined;
  #seq = 0n;

  accept(event: WireEvent): void {
    switch (event.case) {
      case "frameStart":
        this.#open = event.value.frameId;
        this.#seq = 0n;
        break;
      case "frameBatch":
        this.#belongs(event.value.frameId);
        this.#seq += 1n;
        if (event.value.seq !== this.#seq) throw unexpected(`batch ${event.value.seq} where ${this.#seq} was due`);
        break;
      case "frameEnd":
        this.#belongs(event.value.frameId);
        this.#open = undefined;
        break;
      case "completed":
        if (this.#open !== undefined) throw unexpected(`completed within frame ${this.#open}`);
        break;
      case "accepted":
      case "progress":
        break;
      default:
        event satisfies never;
    }
  }

  #belongs(frameId: bigint): void {
    if (frameId !== this.#open) throw unexpected(`a part of frame ${frameId}, which was not started`);
  }
}

function unexpected(what: string) {
  return clientError("UNEXPECTED_MESSAGE", `the driver sent ${what}`);
}
