import { randomUUID } from "node:crypto";
import { DriverError } from "../errors/driver-error.ts";
import type { HistoryBounds, HistoryStore } from "./history.ts";
import { HistoryWriter } from "./history-writer.ts";
import { isInterrupted, isSameRequest } from "./identity.ts";
import { listPage } from "./list.ts";
import type {
  JsonObject,
  OperationEvent,
  OperationFilter,
  OperationHandle,
  OperationRequest,
  OperationSnapshot,
  Operations,
} from "./model.ts";
import { Operation, type OperationRecord, watchRecord } from "./operation.ts";
import { mayKnow, type Whose } from "./owner.ts";
import { Records } from "./records.ts";

export interface OperationsOptions {
  /** Left out: nothing survives a restart. */
  readonly history?: HistoryStore;
  /** How often a watcher gets progress at most. Default 100 ms. */
  readonly progressIntervalMs?: number;
  /** How many finished operations are kept: of each kind half of that, so that queries never push out loads. Default 10,000. */
  readonly maxOperations?: number;
  /** How long finished operations are kept. Default 7 days. */
  readonly maxAgeMs?: number;
  /** How long `cancel` and `stop` wait for work to end. Default 10 s. */
  readonly cancelWaitMs?: number;
  /** Called at every end, for logs and metrics. */
  readonly onEnd?: (operation: OperationSnapshot) => void;
  /** Called when the history can't be written; it is tried again. */
  readonly onHistoryError?: (error: unknown) => void;
}

const DAY_MS = 86_400_000;
/** Operations that wait to be written; more end up in memory only. */
const MAX_WAITING = 4096;

/** Makes the register of operations. Call `recover` once the driver serves. */
export function createOperations(options: OperationsOptions = {}): Operations {
  return new OperationRegister(options);
}

class OperationRegister implements Operations {
  readonly #options: OperationsOptions;
  readonly #maxPerKind: number;
  readonly #maxAgeMs: number;
  readonly #cancelWaitMs: number;
  readonly #live = new Map<string, Operation>();
  readonly #records: Records;
  readonly #writer: HistoryWriter | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#maxPerKind = Math.ceil((options.maxOperations ?? 10_000) / 2);
    this.#maxAgeMs = options.maxAgeMs ?? 7 * DAY_MS;
    this.#cancelWaitMs = options.cancelWaitMs ?? 10_000;
    this.#records = new Records({ maxPerKind: this.#maxPerKind, maxAgeMs: this.#maxAgeMs });
    this.#writer =
      options.history &&
      new HistoryWriter({
        store: options.history,
        bounds: () => this.#bounds(),
        maxWaiting: MAX_WAITING,
        onError: (error) => options.onHistoryError?.(error),
      });
  }

  async recover(): Promise<void> {
    const { history } = this.#options;
    if (history === undefined) return;
    await history.markLost();
    const earlier: OperationRecord[] = [];
    for await (const snapshots of history.load(this.#bounds())) {
      for (const snapshot of snapshots) earlier.push({ snapshot, warnings: [], earlier: true });
    }
    this.#records.addEarlier(earlier.filter(({ snapshot }) => this.find(snapshot.id) === undefined).reverse());
  }

  async recall(id: string): Promise<void> {
    if (this.find(id) !== undefined) return;
    const snapshot = await this.#options.history?.find(id);
    if (snapshot === undefined || this.find(id) !== undefined) return;
    this.#records.addEarlier([{ snapshot, warnings: [], earlier: true }]);
  }

  run<T>(
    request: OperationRequest,
    work: (handle: OperationHandle) => Promise<{ result: T; outcome: JsonObject }>,
    { signal }: { signal?: AbortSignal },
  ): { readonly id: string; readonly done: Promise<T> } {
    const operation = this.#register(request);
    const done = this.#carryOut(operation, work, signal);
    // Whoever does not wait for it still finds the error in the operation.
    done.catch(() => undefined);
    return { id: operation.id, done };
  }

  get live(): number {
    return this.#live.size;
  }

  get(id: string, asker?: Whose): OperationSnapshot {
    const found = this.find(id);
    if (found === undefined || asker?.owns(found.owner) === false) throw notFound(id);
    return found;
  }

  find(id: string): OperationSnapshot | undefined {
    return this.#live.get(id)?.snapshot() ?? this.#records.get(id)?.snapshot;
  }

  mayReplace({ id = "", ...request }: OperationRequest): boolean {
    const record = this.#live.has(id) ? undefined : this.#records.get(id);
    if (record === undefined || !isSameRequest(record.snapshot, request)) return false;
    if (!mayKnow(request.whose, record.snapshot)) return false;
    return isInterrupted(record.snapshot) || (record.earlier === true && request.kind !== "load");
  }

  list(filter: OperationFilter): { readonly operations: readonly OperationSnapshot[]; readonly nextPageToken: string } {
    const live = Array.from(this.#live.values(), (operation) => operation.snapshot());
    return listPage([...live, ...this.#records.all()], filter);
  }

  watch(id: string, { signal }: { signal: AbortSignal }): AsyncIterable<OperationEvent> {
    const operation = this.#live.get(id);
    if (operation !== undefined) return operation.watch(this.#options.progressIntervalMs ?? 100, signal);
    const record = this.#records.get(id);
    if (record === undefined) throw notFound(id);
    return watchRecord(record);
  }

  async cancel(id: string, reason: DriverError): Promise<OperationSnapshot> {
    const operation = this.#live.get(id);
    if (operation === undefined) return this.get(id);
    operation.cancel(reason);
    await operation.whenEnded(this.#cancelWaitMs);
    return operation.snapshot();
  }

  stop({ graceMs, signal }: { graceMs: number; signal?: AbortSignal }): Promise<void> {
    this.#stopping ??= this.#stop(graceMs, signal);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop({ graceMs: 0 });
  }

  #register(request: OperationRequest): Operation {
    if (this.#stopping !== undefined) throw new DriverError("NOT_SERVING", "the driver stops and takes no work");
    const id = request.id ?? randomUUID();
    if (this.find(id) !== undefined && !this.mayReplace({ ...request, id })) {
      throw new DriverError("OPERATION_EXISTS", `there is already an operation "${id}"`, {
        metadata: { operation: id },
      });
    }
    this.#records.remove(id);
    const operation = new Operation(id, request);
    this.#live.set(id, operation);
    this.#writer?.add(operation, { soon: operation.request.kind === "load" });
    return operation;
  }

  async #carryOut<T>(
    operation: Operation,
    work: (handle: OperationHandle) => Promise<{ result: T; outcome: JsonObject }>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const abort = () => operation.cancel(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (signal?.aborted) abort();
      operation.signal.throwIfAborted();
      const { result, outcome } = await work(operation);
      operation.succeed(outcome);
      return result;
    } catch (error) {
      throw operation.fail(error);
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#retire(operation);
    }
  }

  #retire(operation: Operation): void {
    this.#live.delete(operation.id);
    const record = operation.record();
    this.#records.add(record);
    const soon = operation.request.kind === "load";
    this.#writer?.add({ id: operation.id, snapshot: () => record.snapshot }, { soon });
    this.#options.onEnd?.(operation.snapshot());
  }

  async #stop(graceMs: number, signal: AbortSignal | undefined): Promise<void> {
    const running = [...this.#live.values()];
    if (graceMs > 0) await Promise.all(running.map((operation) => operation.whenEnded(graceMs, signal)));
    const reason = new DriverError("DRIVER_STOPPED", "the driver stopped before the operation was done");
    for (const operation of running) operation.cancel(reason);
    await Promise.all(running.map((operation) => operation.whenEnded(this.#cancelWaitMs)));
    await this.#writer?.[Symbol.asyncDispose]();
  }

  #bounds(): HistoryBounds {
    return { maxPerKind: this.#maxPerKind, endedAfter: new Date(Date.now() - this.#maxAgeMs) };
  }
}

function notFound(id: string): DriverError {
  return new DriverError("OPERATION_NOT_FOUND", `there is no operation "${id}"`, { metadata: { operation: id } });
}
