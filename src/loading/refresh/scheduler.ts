import { setTimeout } from "node:timers/promises";
import type { RefreshCatalog, RefreshRecord } from "../../catalog/refreshes.ts";
import type { DatasetStore } from "../../datasets/model.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { followOperation } from "../../operations/follow.ts";
import type { OperationSnapshot, Operations } from "../../operations/model.ts";
import type { RefreshService } from "./model.ts";
import { nextAfterFailure, nextTime, type Schedule, scheduleFromJson } from "./schedule.ts";

export interface SchedulerParts {
  readonly datasets: Pick<DatasetStore, "refresh" | "nameOf">;
  readonly refreshes: RefreshCatalog;
  readonly service: Pick<RefreshService, "refresh" | "noteFailure">;
  readonly operations: Operations;
  readonly now: () => Date;
  /** Whether this process may start work. */
  readonly isServing: () => boolean;
  /** How many refreshes run at once; more that are due wait for them. */
  readonly maxAtOnce: number;
  readonly onError: (error: unknown) => void;
}

/** What came of a refresh that was due. */
export interface DueRun {
  readonly dataset: string;
  /** Absent where it could not even start. */
  readonly operation?: OperationSnapshot;
  readonly error?: DriverError;
}

interface BegunRun {
  /** Never fails. */
  readonly ended: Promise<DueRun>;
}

const LOOK_EVERY_MS = 1_000;
/** While something else is loaded into the dataset. */
const AFTER_CONFLICT_MS = 10_000;
/** A wall clock that is set back by less makes no difference to anybody. */
const CLOCK_SLACK_MS = 60_000;

/** Refreshes datasets when they are due. Of all processes that share a data directory one does so by itself. */
export class Scheduler implements AsyncDisposable {
  readonly #parts: SchedulerParts;
  readonly #running = new Map<string, BegunRun>();
  /** Those that are just being claimed. */
  readonly #beginning = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;
  #isRunner = false;
  #soonest: Date | undefined;
  #latest: Date | undefined;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Begins to look for what is due. */
  start(): void {
    this.#timer ??= setInterval(() => {
      if (this.#looking === undefined) void this.look();
    }, LOOK_EVERY_MS).unref();
  }

  /** Whoever stops the driver cancels its operations first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#looking;
    await this.settled();
  }

  /** Whether this process is wanted within so many milliseconds because something is due then. */
  isWantedWithin(milliseconds: number): boolean {
    if (!this.#isRunner || this.#soonest === undefined) return false;
    return this.#soonest.getTime() - this.#parts.now().getTime() <= milliseconds;
  }

  /** Starts what is due, if this process is the one that does. Never fails. */
  async look(): Promise<void> {
    // One that runs may have looked before something was due.
    while (this.#looking !== undefined) await this.#looking;
    if (this.#closed || !this.#parts.isServing()) return;
    this.#looking = this.#look();
    await this.#looking;
    this.#looking = undefined;
  }

  async #look(): Promise<void> {
    try {
      const { refreshes } = this.#parts;
      this.#soonest = await refreshes.soonest();
      // Where nothing is scheduled there is nothing to be the runner of.
      this.#isRunner = this.#soonest !== undefined && (await refreshes.isRunner());
      if (!this.#isRunner) return;
      await this.#mindTheClock();
      for (const record of await this.#due()) {
        if (this.#running.size >= this.#parts.maxAtOnce) break;
        await this.#begin(record);
      }
    } catch (error) {
      this.#parts.onError(error);
    }
  }

  /** Refreshes what is due now and answers each as it ends; what another process is at is left to it. */
  async *runDue({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<DueRun, void, undefined> {
    const waiting = [...(await this.#due())];
    // What was due and runs already is waited for, too.
    const running = new Set(this.#running.values());
    while (waiting.length > 0 || running.size > 0) {
      signal.throwIfAborted();
      while (waiting.length > 0 && this.#running.size < this.#parts.maxAtOnce) {
        const record = waiting.shift();
        const run = record && (await this.#begin(record));
        if (run !== undefined) running.add(run);
      }
      // Without one of its own it waits for a place.
      const ahead = running.size > 0 ? [...running] : [...this.#running.values()];
      if (ahead.length === 0) continue;
      const ended = await aborted(signal, Promise.race(ahead.map((run) => run.ended.then(() => run))));
      if (running.delete(ended)) yield await ended.ended;
    }
  }

  /** Settles when no refresh runs that was due. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(Array.from(this.#running.values(), ({ ended }) => ended));
  }

  async #due(): Promise<readonly RefreshRecord[]> {
    const { refreshes, now } = this.#parts;
    return (await refreshes.due(now())).filter(({ uid }) => !this.#running.has(uid));
  }

  /** Answers undefined where another process does it, or another call of this one. */
  async #begin(record: RefreshRecord): Promise<BegunRun | undefined> {
    const { uid } = record;
    if (this.#running.has(uid) || this.#beginning.has(uid)) return undefined;
    this.#beginning.add(uid);
    try {
      return await this.#claim(record);
    } finally {
      this.#beginning.delete(uid);
    }
  }

  async #claim(record: RefreshRecord): Promise<BegunRun | undefined> {
    const { uid, nextTime: due } = record;
    const schedule = scheduleFromJson(record.schedule);
    if (due === undefined || schedule === undefined) return undefined;
    await this.#parts.datasets.refresh();
    const dataset = this.#parts.datasets.nameOf(uid);
    if (dataset === undefined || !(await this.#parts.refreshes.claim(uid, due))) return undefined;
    const ended = this.#run(uid, dataset, schedule, due).finally(() => {
      this.#running.delete(uid);
      // What had to wait for it need not wait for the next look.
      void this.look();
    });
    const run = { ended };
    this.#running.set(uid, run);
    return run;
  }

  async #run(uid: string, dataset: string, schedule: Schedule, due: Date): Promise<DueRun> {
    const { refreshes, now, onError } = this.#parts;
    const run = await this.#refresh(uid, dataset);
    try {
      await refreshes.release(uid, due, await this.#next(uid, schedule, due, run.error));
    } catch (error) {
      onError(error);
      // It is still due, and tried again as soon as this has ended.
      await setTimeout(LOOK_EVERY_MS);
    }
    this.#soonest = await refreshes.soonest().catch(() => now());
    return run;
  }

  async #refresh(uid: string, dataset: string): Promise<DueRun> {
    const { service, operations, onError } = this.#parts;
    let id: string | undefined;
    try {
      const started = await service.refresh({ dataset, requestedBy: "schedule", caller: "schedule" });
      id = started.operation.id;
      const { signal } = new AbortController();
      const ended = followOperation(operations, id, { signal }).finally(() => started.noted);
      return { dataset, operation: await ended };
    } catch (thrown) {
      const error = DriverError.from(thrown);
      const operation = id === undefined ? undefined : operations.find(id);
      if (id === undefined && error.reason !== "LOAD_CONFLICT") await service.noteFailure(uid, error).catch(onError);
      return { dataset, error, ...(operation && { operation }) };
    }
  }

  async #next(uid: string, schedule: Schedule, due: Date, error: DriverError | undefined): Promise<Date> {
    const { refreshes, now } = this.#parts;
    const regular = nextTime(schedule, now(), due) ?? now();
    if (error === undefined || error.reason === "CANCELLED") return regular;
    // It is still due: this driver's end is no failure of the source.
    if (error.reason === "DRIVER_STOPPED" || error.reason === "NOT_SERVING") return due;
    if (error.reason === "LOAD_CONFLICT") return new Date(now().getTime() + AFTER_CONFLICT_MS);
    const failures = (await refreshes.find(uid))?.failures ?? 1;
    return nextAfterFailure(schedule, { failures, now: now(), due, retryable: error.retryable }) ?? regular;
  }

  /** A wall clock that was set back would put off everything by as much. */
  async #mindTheClock(): Promise<void> {
    const { refreshes, now } = this.#parts;
    const before = this.#latest;
    this.#latest = now();
    // The first look cannot know what the clock was before.
    if (before !== undefined && before.getTime() - this.#latest.getTime() < CLOCK_SLACK_MS) return;
    for (const { uid, nextTime: next, schedule: json } of await refreshes.scheduled()) {
      const schedule = scheduleFromJson(json);
      const regular = schedule && nextTime(schedule, this.#latest);
      if (regular === undefined || next === undefined || next <= regular) continue;
      await refreshes.setNextTime(uid, regular);
    }
  }
}

/** Waits for something, but not beyond the signal. */
async function aborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([work, left.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
