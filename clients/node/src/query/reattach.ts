import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { clientError, DroverError, isClientReason } from "../errors.ts";
import { instanceLost, isCut, isLoss } from "../follow/loss.ts";
import { type Operation, OperationService } from "../gen/drover/v1/operation_service_pb.js";
import { QueryService, type RunQueryRequestSchema, type RunQueryResponse } from "../gen/drover/v1/query_service_pb.js";
import type { CallOptions, Route, Transport } from "../transport/transport.ts";
import { EventPlace } from "./event-place.ts";

export interface ReattachOptions extends CallOptions {
  /** Told the size of every message. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Whether a frame that was begun may be replaced. Default: always. */
  readonly mayStartOver?: (() => boolean) | undefined;
  /** Whether the operation of the query's id is this query, where others may have chosen the same. Default: always. */
  readonly mayCancel?: ((operation: Operation | undefined) => boolean) | undefined;
}

/** RunQuery's request; its id is needed to find the query again. */
export type ReattachableRequest = MessageInitShape<typeof RunQueryRequestSchema> & { readonly operationId: string };

const cancelTimeoutMs = 10_000;
const cancelAgainAfterMs = 200;

/**
 * Runs a query whose events go on after a broken connection. At the same driver none is missing and none comes twice; at the
 * next one the query runs again under its id, `accepted` is not told again, and its frames count on, so that a frame that
 * was begun is replaced by a whole one. Leaving early cancels the query.
 */
export async function* reattaching(
  transport: Transport,
  request: ReattachableRequest,
  { onBytes, mayStartOver, mayCancel, ...options }: ReattachOptions = {},
): AsyncGenerator<RunQueryResponse, void, undefined> {
  using route = await transport.route(options);
  const way = new Way(route, mayStartOver ?? (() => true));
  let completed = false;
  let ended = false;
  try {
    for (;;) {
      try {
        for await (const response of way.events(request, onBytes)) {
          const event = way.place.pass(response);
          // What the driver still says of a query that has ended is old.
          if (event === undefined || completed) continue;
          if (event.event.case !== "progress") way.advanced();
          completed ||= event.event.case === "completed";
          yield event;
        }
        if (completed) return;
        throw clientError("STREAM_CUT", "the query's stream ended before the query was completed");
      } catch (error) {
        // Only the status that follows the last event was lost.
        if (completed && isLoss(error)) return;
        ended = error instanceof DroverError && !isClientReason(error.reason);
        await way.goOn(error);
        ended = false;
      }
    }
  } finally {
    if (!completed && !ended)
      route.afterwards((channel) => cancel(channel, request.operationId, { ...options, mayCancel }));
  }
}

/** Where a query is told, and how it comes to go on. */
class Way {
  readonly place = new EventPlace();
  readonly #route: Route;
  readonly #mayStartOver: () => boolean;
  /** Whether the driver is asked to go on with the query; it is asked to run it otherwise. */
  #watching = false;
  /** The first loss since an event came. */
  #loss: DroverError | undefined;

  constructor(route: Route, mayStartOver: () => boolean) {
    this.#route = route;
    this.#mayStartOver = mayStartOver;
  }

  async *events(
    request: ReattachableRequest,
    onBytes: ReattachOptions["onBytes"],
  ): AsyncGenerator<RunQueryResponse, void, undefined> {
    const { channel, options } = this.#route;
    const { runQuery, watchQuery } = QueryService.method;
    if (!this.#watching) {
      yield* channel.stream(runQuery, { ...request, reattachable: true }, options, onBytes);
      return;
    }
    const place = { operationId: request.operationId, afterEventId: this.place.lastEventId };
    for await (const { event } of channel.stream(watchQuery, place, options, onBytes)) if (event) yield event;
  }

  advanced(): void {
    this.#loss = undefined;
    this.#route.advanced();
  }

  /** Prepares the next attempt, or throws what the query ends with. */
  async goOn(error: unknown): Promise<void> {
    const reason = error instanceof DroverError ? error.reason : "";
    if (this.#watching && reason === "OPERATION_NOT_FOUND") return this.#startOver(error);
    if (this.#loss !== undefined && isRefusal(reason, this.#watching)) throw this.#loss;
    if (!isLoss(error)) throw error;
    this.#loss ??= error;
    const { instanceId } = this.#route;
    await this.#route.next(error, { rejoin: true });
    if (!isCut(error) || this.#route.instanceId !== instanceId) return this.#startOver(error);
    this.#watching = true;
  }

  #startOver(cause: unknown): void {
    if (!this.#mayStartOver())
      throw instanceLost("a query, and parts of its exact result have been passed on", this.#route.instanceId, cause);
    this.#watching = false;
    this.place.startOver();
  }
}

/** Whether the driver does not know how to go on: then what was lost is the news. */
function isRefusal(reason: string, watching: boolean): boolean {
  if (watching) return reason === "UNIMPLEMENTED" || reason === "UNKNOWN_METHOD";
  return reason === "OPERATION_EXISTS";
}

async function cancel(channel: Transport, id: string, asked: ReattachOptions): Promise<void> {
  const { headers, endUser, scope, mayCancel } = asked;
  const options = { headers, endUser, scope, timeoutMs: cancelTimeoutMs };
  const { getOperation, cancelOperation } = OperationService.method;
  const ask = async () => {
    const mine = mayCancel?.((await channel.unary(getOperation, { id }, options)).operation) ?? true;
    if (mine) await channel.unary(cancelOperation, { id }, options);
  };
  try {
    await ask();
  } catch (error) {
    if (!(error instanceof DroverError) || error.reason !== "OPERATION_NOT_FOUND") return;
    // The query may still be on its way through the driver's checks.
    await sleep(cancelAgainAfterMs, undefined, { ref: false });
    await ask();
  }
}
