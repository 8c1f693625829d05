import { clientError } from "../errors.ts";
import type { RunQueryResponse } from "../gen/drover/v1/query_service_pb.js";

/** How far the events of a query have come, over all the streams that brought them. */
export class EventPlace {
  #lastEventId = 0n;
  #accepted = false;
  /** Frames of a query that started over count on from those before. */
  #frameOffset = 0n;
  #lastFrameId = 0n;

  /** The last event that counts; 0 at the beginning. */
  get lastEventId(): bigint {
    return this.#lastEventId;
  }

  /** The next events are those of a query that runs from the beginning. */
  startOver(): void {
    this.#lastEventId = 0n;
    this.#frameOffset = this.#lastFrameId;
  }

  /** The event as it is to be told; undefined for one that has been. */
  pass(response: RunQueryResponse): RunQueryResponse | undefined {
    const { eventId, event } = response;
    if (eventId !== 0n) {
      if (eventId <= this.#lastEventId)
        throw clientError("UNEXPECTED_MESSAGE", `the driver sent event ${eventId} after ${this.#lastEventId}`);
      this.#lastEventId = eventId;
    }
    switch (event.case) {
      case "accepted": {
        const told = this.#accepted;
        this.#accepted = true;
        return told ? undefined : response;
      }
      case "frameStart":
      case "frameBatch":
      case "frameEnd":
        event.value.frameId += this.#frameOffset;
        if (event.value.frameId > this.#lastFrameId) this.#lastFrameId = event.value.frameId;
        return response;
      case "progress":
      case "completed":
      case undefined:
        return response;
      default:
        event satisfies never;
        return response;
    }
  }
}
