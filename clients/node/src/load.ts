import { setTimeout as sleep } from "node:timers/promises";
import { abortError, clientError, DroverError } from "./errors.ts";
import { datasetFrom, operationFrom, progressFrom, rejectedFrom } from "./from-wire.ts";
import { DatasetService, type WatchLoadResponse } from "./gen/drover/v1/dataset_service_pb.js";
import { OperationService } from "./gen/drover/v1/operation_service_pb.js";
import type { Dataset, Labels, Operation, Progress, RejectedRow } from "./model.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** What a load takes beside its source. */
export interface LoadOptions extends CallOptions {
  /** Chosen by the client so that a retry is the same load. Default: a random UUID. */
  readonly operationId?: string | undefined;
  /** Labels of the dataset and of the operation. */
  readonly labels?: Labels | undefined;
}

/** What happens in a load. */
export type LoadEvent =
  | { readonly type: "accepted"; readonly operation: Operation }
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "warning"; readonly message: string }
  | LoadCompletedEvent;

/** How a load ended: `operation.state` says it, `operation.error` why. */
export interface LoadCompletedEvent {
  readonly type: "completed";
  readonly operation: Operation;
  /** With its new version; undefined unless the load succeeded. */
  readonly dataset: Dataset | undefined;
  /** The exact number. */
  readonly rejectedRows: number;
  /** The first of them, at most 100. */
  readonly rejectedSamples: readonly RejectedRow[];
}

/** What a load that succeeded made. */
export interface LoadResult {
  readonly dataset: Dataset;
  readonly operation: Operation;
  readonly rejectedRows: number;
  readonly rejectedSamples: readonly RejectedRow[];
}

/** Waits between attempts to watch again, in milliseconds; they start over with every event that brings news. */
const retryDelaysMs = [50, 100, 200, 400, 800, 1600, 3200];
const retriedReasons: ReadonlySet<string> = new Set(["STREAM_CUT", "UNREACHABLE", "NOT_SERVING"]);

/** A load in the driver. It goes on whether anybody watches it or not; only `cancel()` stops it. */
export class Load implements AsyncIterable<LoadEvent> {
  readonly operationId: string;
  /** Whether the call that began it joined one that was under way already. */
  readonly joined: boolean;
  readonly #transport: Transport;

  constructor(transport: Transport, operationId: string, joined: boolean) {
    this.#transport = transport;
    this.operationId = operationId;
    this.joined = joined;
  }

  [Symbol.asyncIterator](): AsyncGenerator<LoadEvent, void, undefined> {
    return this.events();
  }

  /**
   * What happens from now on, beginning with the present state and ending with `completed`. After a broken connection it
   * watches again, for up to about 6 s without news from the driver. May be called by many and more than once.
   */
  async *events(options: CallOptions = {}): AsyncGenerator<LoadEvent, void, undefined> {
    let accepted = false;
    for (let attempt = 0; ; attempt++) {
      try {
        for await (const event of this.#watch(options)) {
          // After a broken connection the state is told again.
          if (event.type === "accepted" && accepted) continue;
          attempt = 0;
          accepted = true;
          yield event;
          if (event.type === "completed") return;
        }
        throw clientError("STREAM_CUT", "the load's stream ended before the load was completed");
      } catch (error) {
        const delayMs = retryDelaysMs[attempt];
        if (!isRetried(error) || delayMs === undefined) throw error;
        await pause(delayMs, options.signal);
      }
    }
  }

  /** Waits for the end. A load that failed or was cancelled throws its error. */
  async result(options: CallOptions = {}): Promise<LoadResult> {
    for await (const event of this.events(options)) if (event.type === "completed") return resultOf(event);
    throw clientError("STREAM_CUT", "the load's stream ended before the load was completed");
  }

  /** Asks the driver to stop it and waits until it has, 10 s at most; the state in the answer says which. */
  async cancel(options: CallOptions = {}): Promise<Operation> {
    const request = { id: this.operationId };
    const { operation } = await this.#transport.unary(OperationService.method.cancelOperation, request, options);
    return operationFrom(operation);
  }

  async *#watch(options: CallOptions): AsyncGenerator<LoadEvent, void, undefined> {
    const request = { operationId: this.operationId };
    for await (const response of this.#transport.stream(DatasetService.method.watchLoad, request, options)) {
      const event = eventFrom(response);
      if (event !== undefined) yield event;
    }
  }
}

/** The result of a load that has ended, or its error. */
export function resultOf(event: LoadCompletedEvent): LoadResult {
  const { operation, dataset, rejectedRows, rejectedSamples } = event;
  if (operation.error !== undefined) throw operation.error;
  if (operation.state === "succeeded" && dataset !== undefined)
    return { dataset, operation, rejectedRows, rejectedSamples };
  throw clientError("UNEXPECTED_MESSAGE", `the load ended as ${operation.state} without a dataset or an error`);
}

function eventFrom({ event }: WatchLoadResponse): LoadEvent | undefined {
  switch (event.case) {
    case "accepted":
      return { type: "accepted", operation: operationFrom(event.value.operation) };
    case "progress":
      return { type: "progress", progress: progressFrom(event.value) };
    case "warning":
      return { type: "warning", message: event.value.message };
    case "completed":
      return {
        type: "completed",
        operation: operationFrom(event.value.operation),
        dataset: event.value.dataset && datasetFrom(event.value.dataset),
        rejectedRows: Number(event.value.rejectedRows),
        rejectedSamples: event.value.rejectedSamples.map(rejectedFrom),
      };
    case undefined:
      return undefined;
    default:
      event satisfies never;
      return undefined;
  }
}

function isRetried(error: unknown): boolean {
  return error instanceof DroverError && retriedReasons.has(error.reason);
}

async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(delayMs, undefined, signal && { signal });
  } catch (error) {
    throw abortError(signal?.reason ?? error);
  }
}
