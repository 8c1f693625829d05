import { setTimeout as sleep } from "node:timers/promises";
import { abortError } from "../errors.ts";

/** Longer timers than this fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Waits. An aborted signal ends it with its error. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw abortError(signal.reason);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch (error) {
    throw abortError(signal.reason ?? error);
  }
}

/** The wait before a repetition, counted from 1: a moment, then longer and longer, spread so that many do not come together. */
export function retryDelayMs(repetition: number): number {
  const most = repetition === 1 ? 25 : Math.min(50 * 2 ** (repetition - 2), 2_000);
  return most * (0.5 + Math.random() / 2);
}

/** When a piece of work must be done; by a clock that nobody sets. */
export class Deadline {
  readonly #end: number | undefined;
  readonly #caller: AbortSignal | undefined;
  #signal: AbortSignal | undefined;

  constructor({ signal, timeoutMs }: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined }) {
    this.#caller = signal;
    this.#end = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  }

  /** Undefined for none. */
  get remainingMs(): number | undefined {
    return this.#end === undefined ? undefined : Math.max(Math.ceil(this.#end - performance.now()), 0);
  }

  /** Aborted at the deadline or by the caller; made when it is first asked for, since most work never waits by itself. */
  get signal(): AbortSignal {
    this.#signal ??= this.#make();
    return this.#signal;
  }

  #make(): AbortSignal {
    const left = this.remainingMs;
    const signals = this.#caller === undefined ? [] : [this.#caller];
    if (left !== undefined && left <= longestTimerMs) signals.push(AbortSignal.timeout(Math.ceil(left)));
    return AbortSignal.any(signals);
  }
}
