import { isLoss } from "../follow/loss.ts";
import { Deadline, pause, retryDelayMs } from "./pause.ts";
import type { CallOptions, Route, Transport } from "./transport.ts";

/** About 6 s of trying in a row. */
const maxRepetitions = 8;

/** The way of work that knows one address only: the connection is made again there. */
export class FixedRoute implements Route {
  readonly channel: Transport;
  readonly #options: CallOptions;
  readonly #deadline: Deadline;
  readonly #part: Route["afterwards"];
  #repetitions = 0;

  constructor(channel: Transport, options: CallOptions, part: Route["afterwards"]) {
    this.channel = channel;
    this.#options = options;
    this.#deadline = new Deadline(options);
    this.#part = part;
  }

  get instanceId(): string {
    return this.channel.instanceId;
  }

  get options(): CallOptions {
    return { ...this.#options, timeoutMs: this.#deadline.remainingMs };
  }

  advanced(): void {
    this.#repetitions = 0;
  }

  async next(error: unknown): Promise<void> {
    this.#repetitions++;
    if (!isLoss(error) || this.#repetitions > maxRepetitions) throw error;
    await pause(retryDelayMs(this.#repetitions), this.#deadline.signal);
  }

  afterwards(work: (channel: Transport) => Promise<unknown>): void {
    this.#part(work);
  }

  [Symbol.dispose](): void {}
}
