import { progressFrom } from "./answers-from-wire.ts";
import { clientError, DroverError } from "./errors.ts";
import { isLoss } from "./follow/loss.ts";
import { datasetFrom, operationFrom, rejectedFrom } from "./from-wire.ts";
import { DatasetService, type WatchLoadResponse } from "./gen/drover/v1/dataset_service_pb.js";
import { OperationService } from "./gen/drover/v1/operation_service_pb.js";
import type { Dataset, Labels, Operation, Progress, RejectedRow } from "./model.ts";
import type { Filter } from "./query/filter.ts";
import type { Increment } from "./refresh.ts";
import { type CallOptions, defaultTimeoutMs, type Route, type Transport } from "./transport/transport.ts";

/** What a load takes beside its source. */
export interface LoadOptions extends CallOptions {
  /** Chosen by the client so that a retry is the same load. Default: a random UUID. */
  readonly operationId?: string | undefined;
  /** Labels of the dataset and of the operation. */
  readonly labels?: Labels | undefined;
  /** Loads only rows for which it is true; a database sends no others. Columns go by their names in the dataset. */
  readonly where?: Filter | undefined;
  /** Loads at most so many rows; which ones is not said. */
  readonly limit?: number | undefined;
  /** Keeps only these columns, in this order: the option of that name, of every kind of source. */
  readonly columns?: readonly string[] | undefined;
  /** How later refreshes tell what is new at the source. Default: they read everything. */
  readonly increment?: Increment | undefined;
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
  /** Whether an incremental refresh has found nothing new: then there is no new version. */
  readonly unchanged: boolean;
}

/** What a load that succeeded made. */
export interface LoadResult {
  readonly dataset: Dataset;
  readonly operation: Operation;
  readonly rejectedRows: number;
  readonly rejectedSamples: readonly RejectedRow[];
  /** Whether an incremental refresh has found nothing new: then there is no new version. */
  readonly unchanged: boolean;
}

/** Asks a driver for a load, and the next one for the same: the request's operation id says which it is. */
export type AskForLoad = (
  channel: Transport,
  options: CallOptions,
) => Promise<{ readonly operation?: { readonly id: string } | undefined; readonly joined: boolean }>;

/** How a load that this client asked for is asked for again. */
interface Origin {
  readonly ask: AskForLoad;
  /** The driver that was asked last. */
  instanceId: string;
}

/**
 * A load in the driver. It goes on whether anybody watches it or not; only `cancel()` stops it. Others may have asked for the
 * same: then it stops when the last of them cancels.
 */
export class Load implements AsyncIterable<LoadEvent> {
  readonly operationId: string;
  /** Whether the call that began it joined one that was under way already. */
  readonly joined: boolean;
  readonly #transport: Transport;
  readonly #origin: Origin | undefined;

  constructor(transport: Transport, operationId: string, joined: boolean, origin?: Origin) {
    this.#transport = transport;
    this.operationId = operationId;
    this.joined = joined;
    this.#origin = origin;
  }

  /** Asks for a load. The request may be repeated, since its id says which load it means. */
  static async start(transport: Transport, id: string, ask: AskForLoad, options: CallOptions): Promise<Load> {
    using route = await transport.route({ ...options, timeoutMs: options.timeoutMs ?? defaultTimeoutMs });
    for (;;) {
      try {
        const { operation, joined } = await ask(route.channel, route.options);
        route.advanced();
        return new Load(transport, operation?.id || id, joined, { ask, instanceId: route.instanceId });
      } catch (error) {
        await route.next(error);
      }
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<LoadEvent, void, undefined> {
    return this.events();
  }

  /**
   * What happens from now on, beginning with the present state and ending with `completed`. After a broken connection it
   * watches again; a load that this client has asked for and that ended with its driver runs again at the next one, and its progress
   * with it. May be called by many and more than once.
   */
  async *events(options: CallOptions = {}): AsyncGenerator<LoadEvent, void, undefined> {
    using route = await this.#transport.route(options);
    const told = new Told();
    for (;;) {
      try {
        // Before the first attempt too: the client may have gone to the next driver since.
        if (this.#isElsewhere(route)) await this.#askAgain(route);
        for await (const event of this.#watch(route)) {
          if (event.type === "completed") this.#checkEnd(event, route);
          if (!told.isNews(event)) continue;
          route.advanced();
          yield event;
          if (event.type === "completed") return;
        }
        throw clientError("STREAM_CUT", "the load's stream ended before the load was completed");
      } catch (error) {
        if (!this.#isForgotten(error, route)) await route.next(error, { rejoin: true });
        told.again();
      }
    }
  }

  /** Waits for the end. A load that failed or was cancelled throws its error. */
  async result(options: CallOptions = {}): Promise<LoadResult> {
    for await (const event of this.events(options)) if (event.type === "completed") return resultOf(event);
    throw clientError("STREAM_CUT", "the load's stream ended before the load was completed");
  }

  /**
   * Says that it is not wanted here any more. Where nobody else has asked for the same load it stops, and this waits until it
   * has, 10 s at most; the state in the answer says which. For others it goes on.
   */
  async cancel(options: CallOptions = {}): Promise<Operation> {
    const request = { id: this.operationId };
    const { operation } = await this.#transport.unary(OperationService.method.cancelOperation, request, options);
    return operationFrom(operation);
  }

  /** Whether the driver at the other end is not the one that was asked. An instance that is not known yet is. */
  #isElsewhere({ instanceId }: Route): boolean {
    const asked = this.#origin?.instanceId;
    return asked !== undefined && asked !== "" && instanceId !== "" && asked !== instanceId;
  }

  /** A driver that was restarted at the same address shows it only by what it answers. */
  #isForgotten(error: unknown, route: Route): boolean {
    return error instanceof DroverError && error.reason === "OPERATION_NOT_FOUND" && this.#isElsewhere(route);
  }

  async #askAgain(route: Route): Promise<void> {
    if (this.#origin === undefined) return;
    const { instanceId } = route;
    await this.#origin.ask(route.channel, {
      ...route.options,
      timeoutMs: Math.min(route.options.timeoutMs ?? defaultTimeoutMs, defaultTimeoutMs),
    });
    this.#origin.instanceId = instanceId;
  }

  /** A load that its driver has taken along is not the end where it can be asked for again. */
  #checkEnd({ operation }: LoadCompletedEvent, route: Route): void {
    if (this.#origin === undefined) return;
    if (isLoss(operation.error)) throw operation.error;
    if (operation.state === "lost" && this.#isElsewhere(route))
      throw clientError("STREAM_CUT", "the load's driver was restarted");
  }

  async *#watch({ channel, options }: Route): AsyncGenerator<LoadEvent, void, undefined> {
    const request = { operationId: this.operationId };
    for await (const response of channel.stream(DatasetService.method.watchLoad, request, options)) {
      const event = eventFrom(response);
      if (event !== undefined) yield event;
    }
  }
}

const maxRemembered = 1_000;

/** Which events have been told: every watch begins with the present state and tells all warnings. */
class Told {
  #accepted = false;
  #repeating = false;
  readonly #warnings = new Set<string>();

  again(): void {
    this.#repeating = true;
  }

  isNews(event: LoadEvent): boolean {
    if (event.type === "accepted") {
      const told = this.#accepted;
      this.#accepted = true;
      return !told;
    }
    if (event.type !== "warning") return true;
    const told = this.#repeating && this.#warnings.has(event.message);
    if (this.#warnings.size < maxRemembered) this.#warnings.add(event.message);
    return !told;
  }
}

/** The result of a load that has ended, or its error. */
export function resultOf(event: LoadCompletedEvent): LoadResult {
  const { operation, dataset, rejectedRows, rejectedSamples, unchanged } = event;
  if (operation.error !== undefined) throw operation.error;
  if (operation.state === "succeeded" && dataset !== undefined)
    return { dataset, operation, rejectedRows, rejectedSamples, unchanged };
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
        unchanged: event.value.unchanged,
        rejectedSamples: event.value.rejectedSamples.map(rejectedFrom),
      };
    case undefined:
      return undefined;
    default:
      event satisfies never;
      return undefined;
  }
}
