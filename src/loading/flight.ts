import { setImmediate } from "node:timers/promises";
import type { OperationHandle } from "../operations/model.ts";
import type { LoadEnd } from "./load-once.ts";

type Report = Parameters<OperationHandle["report"]>[0];

/** As many as an operation keeps. */
const MAX_WARNINGS = 1_000;

/**
 * One load that any number of operations share: each sees its progress and its end, and it stops when the last of them is
 * cancelled. To its work it is an operation like any other.
 */
export class Flight implements OperationHandle {
  readonly #first: string;
  readonly #carryOut: (flight: Flight) => Promise<LoadEnd>;
  readonly #controller = new AbortController();
  readonly #participants = new Set<OperationHandle>();
  readonly #warnings: string[] = [];
  #begun = false;
  #progress: Report = {};
  #done: Promise<LoadEnd> | undefined;
  #stoppedForAll = false;

  /** `first` is the operation that asked first; its id stands for the load in other processes. */
  constructor(first: string, carryOut: (flight: Flight) => Promise<LoadEnd>) {
    this.#first = first;
    this.#carryOut = carryOut;
  }

  /** An operation that still wants the load. */
  get id(): string {
    for (const { id } of this.#participants) return id;
    return this.#first;
  }

  /** Aborted once nobody wants the load any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get participants(): readonly string[] {
    return Array.from(this.#participants, ({ id }) => id);
  }

  /** Whether it was stopped for everybody who asked, in other processes, too. */
  get stoppedForAll(): boolean {
    return this.#stoppedForAll;
  }

  /** To be said before its operations are cancelled. */
  stopForAll(): void {
    this.#stoppedForAll = true;
  }

  /**
   * Takes part until the load's end or the operation's cancel. The first to come starts the load. Whoever is cancelled last
   * waits until it has stopped, and gets its result if it could not be stopped any more.
   */
  async join(handle: OperationHandle): Promise<LoadEnd> {
    this.#participants.add(handle);
    this.#catchUp(handle);
    this.#done ??= this.#carryOut(this);
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(handle.signal.reason);
    handle.signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([this.#done, left.promise]);
    } catch (error) {
      if (!handle.signal.aborted) throw error;
      this.#participants.delete(handle);
      if (this.#participants.size > 0) throw error;
      this.#controller.abort(handle.signal.reason);
      return await this.#done;
    } finally {
      handle.signal.removeEventListener("abort", leave);
      this.#participants.delete(handle);
    }
  }

  /** Where all have cancelled it, settles when it has stopped; else at once. */
  async stopped(): Promise<void> {
    const isLeft = Array.from(this.#participants).every(({ signal }) => signal.aborted);
    // Those who leave are taken out one after the other, and the last one stops it.
    if (isLeft) await setImmediate();
    if (this.signal.aborted) await this.#done?.catch(() => undefined);
  }

  begin(): void {
    this.signal.throwIfAborted();
    this.#begun = true;
    for (const handle of this.#participants) begin(handle);
  }

  report(progress: Report): void {
    const known = Object.entries(progress).filter(([, value]) => value !== undefined);
    this.#progress = { ...this.#progress, ...Object.fromEntries(known) };
    for (const handle of this.#participants) handle.report(progress);
  }

  warn(message: string): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push(message);
    for (const handle of this.#participants) handle.warn(message);
  }

  #catchUp(handle: OperationHandle): void {
    if (this.#begun) begin(handle);
    handle.report(this.#progress);
    for (const message of this.#warnings) handle.warn(message);
  }
}

/** One that is just being cancelled takes no part in this any more. */
function begin(handle: OperationHandle): void {
  if (!handle.signal.aborted) handle.begin();
}
