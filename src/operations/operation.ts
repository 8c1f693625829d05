import { DriverError } from "../errors/driver-error.ts";
import { boundedJson } from "./bounded-json.ts";
import { Changes } from "./changes.ts";
import { keptError } from "./kept-error.ts";
import type {
  JsonObject,
  OperationEvent,
  OperationHandle,
  OperationRequest,
  OperationSnapshot,
  OperationState,
} from "./model.ts";
import { advance, noProgress, type ProgressReport } from "./progress.ts";
import { isFinal, nextState, type OperationTrigger } from "./states.ts";

/** Bounds of what one operation may hold in memory. */
const MAX_WARNINGS = 1000;
const MAX_WARNING_CHARS = 2000;
const MAX_JSON_CHARS = 16_384;
/** Room for the hundred rejected rows of a load. */
const MAX_OUTCOME_CHARS = 131_072;
const MAX_KEPT_WARNINGS = 100;

/** What is kept of an operation once it has ended. */
export interface OperationRecord {
  readonly snapshot: OperationSnapshot;
  readonly warnings: readonly string[];
  /** Whether another process has carried it out. */
  readonly earlier?: boolean;
}

/** One operation while it is known: its state, what watchers see, and the signal that stops its work. */
export class Operation implements OperationHandle {
  readonly id: string;
  readonly request: OperationRequest;
  readonly #controller = new AbortController();
  readonly #changes = new Changes();
  readonly #warnings: string[] = [];
  readonly #createTime = new Date();
  #moreWarnings = 0;
  #state: OperationState = "pending";
  #progress = noProgress;
  #progressCount = 0;
  #startTime: Date | undefined;
  #startedAt = 0;
  #endTime: Date | undefined;
  #error: DriverError | undefined;
  #outcome: JsonObject | undefined;
  #snapshot: OperationSnapshot | undefined;

  constructor(id: string, request: OperationRequest) {
    this.id = id;
    this.request = request;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get ended(): boolean {
    return isFinal(this.#state);
  }

  begin(): void {
    this.signal.throwIfAborted();
    if (this.#state !== "pending") return;
    this.#startTime = new Date();
    this.#startedAt = performance.now();
    this.#move("begin");
  }

  report(report: ProgressReport): void {
    if (this.ended) return;
    const elapsedMs = this.#startTime === undefined ? 0 : performance.now() - this.#startedAt;
    this.#progress = advance(this.#progress, report, elapsedMs);
    this.#progressCount++;
    this.#snapshot = undefined;
    this.#changes.progress();
  }

  warn(message: string): void {
    if (this.ended) return;
    if (this.#warnings.length >= MAX_WARNINGS - 1) {
      this.#moreWarnings++;
      return;
    }
    this.#warnings.push(message.slice(0, MAX_WARNING_CHARS));
    this.#changes.all();
  }

  /** Asks the work to stop. The first reason stays. */
  cancel(reason: unknown): void {
    if (this.ended || this.signal.aborted) return;
    this.#move("cancel");
    this.#controller.abort(reason);
  }

  succeed(outcome: JsonObject): void {
    this.#outcome = boundedJson(outcome, MAX_OUTCOME_CHARS);
    this.#end("succeed");
  }

  /** Ends an operation whose work has thrown; answers the error that everybody gets. */
  fail(thrown: unknown): DriverError {
    // Work that was told to stop may come up with any error; why it was told is what the asker wants to know.
    const error = DriverError.from(this.signal.aborted ? this.signal.reason : thrown);
    this.#error = error;
    this.#end(this.signal.aborted ? "stopped" : "fail");
    return error;
  }

  snapshot(): OperationSnapshot {
    this.#snapshot ??= {
      id: this.id,
      kind: this.request.kind,
      state: this.#state,
      dataset: this.request.dataset,
      progress: this.#progress,
      ...(this.#error && { error: this.#error }),
      requestedBy: this.request.requestedBy,
      ...(this.request.whose && { owner: this.request.whose.owner }),
      ...(this.request.whose?.scopeHash && { scopeHash: this.request.whose.scopeHash }),
      labels: this.request.labels,
      configuration: this.request.configuration,
      ...(this.#outcome && { outcome: this.#outcome }),
      createTime: this.#createTime,
      ...(this.#startTime && { startTime: this.#startTime }),
      ...(this.#endTime && { endTime: this.#endTime }),
    };
    return this.#snapshot;
  }

  /** What is kept once it has ended. */
  record(): OperationRecord {
    const configuration = boundedJson(this.request.configuration, MAX_JSON_CHARS);
    const error = this.#error && { error: keptError(this.#error) };
    const snapshot = { ...this.snapshot(), configuration, ...error };
    return { snapshot, warnings: this.#warnings.slice(0, MAX_KEPT_WARNINGS) };
  }

  /** A watcher pulls: what it has not asked for yet is only ever the latest progress and the shared list of warnings. */
  async *watch(intervalMs: number, signal: AbortSignal): AsyncGenerator<OperationEvent, void, undefined> {
    let state = this.#state;
    let progressCount = this.#progressCount;
    let warnings = 0;
    let nextProgressAt = 0;
    yield { type: "state", operation: this.snapshot() };
    for (;;) {
      signal.throwIfAborted();
      const warning = this.#warnings[warnings];
      if (warning !== undefined) {
        warnings++;
        yield { type: "warning", message: warning };
      } else if (this.ended) {
        yield { type: "ended", operation: this.snapshot() };
        return;
      } else if (this.#state !== state) {
        state = this.#state;
        yield { type: "state", operation: this.snapshot() };
      } else {
        const throttleMs = nextProgressAt - performance.now();
        if (this.#progressCount !== progressCount && throttleMs <= 0) {
          progressCount = this.#progressCount;
          nextProgressAt = performance.now() + intervalMs;
          yield { type: "progress", progress: this.#progress };
        } else {
          await this.#changes.next(signal, this.#progressCount !== progressCount ? throttleMs : 0);
        }
      }
    }
  }

  /** Settles when it has ended, after `timeoutMs`, or when `earlier` is aborted. */
  async whenEnded(timeoutMs: number, earlier?: AbortSignal): Promise<void> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = earlier === undefined ? timeout : AbortSignal.any([timeout, earlier]);
    while (!this.ended && !signal.aborted) {
      await this.#changes.next(signal, 0).catch(() => undefined);
    }
  }

  #end(trigger: OperationTrigger): void {
    if (this.#moreWarnings > 0) this.#warnings.push(`${this.#moreWarnings} more warnings were left out`);
    this.#endTime = new Date();
    this.#move(trigger);
  }

  #move(trigger: OperationTrigger): void {
    this.#state = nextState(this.#state, trigger);
    this.#snapshot = undefined;
    this.#changes.all();
  }
}

/** A finished operation's events, for those who come after it is only a record. */
export async function* watchRecord(record: OperationRecord): AsyncGenerator<OperationEvent, void, undefined> {
  yield { type: "state", operation: record.snapshot };
  for (const message of record.warnings) yield { type: "warning", message };
  yield { type: "ended", operation: record.snapshot };
}
