import { clientError, DroverError } from "../errors.ts";
import { Deadline, pause, retryDelayMs } from "../transport/pause.ts";
import type { CallOptions, Route, Transport } from "../transport/transport.ts";
import type { Link } from "./link.ts";
import { isCut, isLoss } from "./loss.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** How often in a row, without getting on. */
const maxRepetitions = 8;
/** Work that has lost so many drivers may be what kills them. */
const maxLostInstances = 3;

/** What a route needs of the transport that it belongs to. */
export interface Links {
  /** The link for new work; undefined where one has to be looked for. */
  readonly ready: Link | undefined;
  current(signal: AbortSignal): Promise<Link>;
  rejoin(instanceId: string, signal: AbortSignal): Promise<Link | undefined>;
  part(link: Link, work: (channel: Transport) => Promise<unknown>): void;
}

/** The way of one piece of work from driver to driver. */
export class FollowingRoute implements Route {
  readonly #links: Links;
  readonly #options: CallOptions;
  readonly #budget: RetryBudget;
  readonly #deadline: Deadline;
  #link: Link | undefined;
  #repetitions = 0;
  #advanced = false;
  readonly #lost = new Set<string>();

  constructor(links: Links, options: CallOptions, budget: RetryBudget) {
    this.#links = links;
    this.#options = options;
    this.#budget = budget;
    this.#deadline = new Deadline(options);
  }

  get channel(): Transport {
    return this.#held.channel;
  }

  get instanceId(): string {
    return this.#link?.instanceId ?? "";
  }

  get options(): CallOptions {
    return { ...this.#options, timeoutMs: this.#deadline.remainingMs };
  }

  async begin(): Promise<void> {
    this.#take(this.#links.ready ?? (await this.#links.current(this.#deadline.signal)));
  }

  advanced(): void {
    this.#repetitions = 0;
    this.#advanced = true;
  }

  async next(error: unknown, { rejoin = false }: { readonly rejoin?: boolean } = {}): Promise<void> {
    const link = this.#held;
    if (!isLoss(error)) throw error;
    link.retire();
    this.#repetitions++;
    this.#advanced = false;
    if (isCut(error)) this.#lost.add(link.instanceId);
    if (this.#repetitions > maxRepetitions || this.#lost.size >= maxLostInstances) throw error;
    if (!this.#budget.pay(link, this.#repetitions)) throw error;
    this.#leave();
    try {
      const { signal } = this.#deadline;
      await pause(retryDelayMs(this.#repetitions), signal);
      // What a driver ended by itself is not there any more.
      const same = rejoin && isCut(error) ? await this.#links.rejoin(link.instanceId, signal) : undefined;
      this.#take(same ?? (await this.#links.current(signal)));
    } catch (failure) {
      throw afterLoss(failure, error);
    }
  }

  afterwards(work: (channel: Transport) => Promise<unknown>): void {
    if (this.#link !== undefined) this.#links.part(this.#link, work);
  }

  [Symbol.dispose](): void {
    if (this.#advanced) this.#budget.succeeded();
    this.#leave();
  }

  get #held(): Link {
    if (this.#link === undefined) throw clientError("CLIENT_CLOSED", "this piece of work has ended");
    return this.#link;
  }

  #take(link: Link): void {
    link.hold();
    this.#link = link;
  }

  #leave(): void {
    this.#link?.release();
    this.#link = undefined;
  }
}

/** A deadline that passed on the way says what was lost; other failures say why there is no way. */
function afterLoss(failure: unknown, loss: DroverError): unknown {
  if (!(failure instanceof DroverError) || failure.reason !== "DEADLINE_EXCEEDED") return failure;
  const message = `the deadline passed on the way to the next driver, after this: ${loss.message}`;
  return clientError("DEADLINE_EXCEEDED", message, { cause: loss });
}
