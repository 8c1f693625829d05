import type {
  DescMessage,
  DescMethod,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { DriverFinder, FoundDriver } from "../ensure/finder.ts";
import { abortError, clientError } from "../errors.ts";
import { isUnprocessed } from "../transport/call-error.ts";
import { Farewells } from "../transport/farewells.ts";
import { type CallOptions, defaultTimeoutMs, type Route, type Transport } from "../transport/transport.ts";
import { FollowingRoute, type Links } from "./following-route.ts";
import { Link } from "./link.ts";
import { instanceLost, isAboutProcess, isLoss, isRepeatable } from "./loss.ts";
import { Replay } from "./replay.ts";
import { RetryBudget, type RetryBudgetOptions } from "./retry-budget.ts";
import { SharedWork } from "./shared-work.ts";

export interface FollowOptions {
  readonly budget?: RetryBudgetOptions | undefined;
  /** How long one search for a driver may take where no caller gives it less. Default: 60 s. */
  readonly searchTimeoutMs?: number | undefined;
  /** Told when new calls go to another connection. */
  readonly onMove?: (() => void) | undefined;
}

const defaultSearchTimeoutMs = 60_000;

/**
 * Carries calls to the driver that counts now. When that is lost or sends work away, the next one is looked for, once for
 * all callers, and what may be repeated is repeated there.
 */
export class FollowingTransport implements Transport, Links {
  readonly #finder: DriverFinder;
  readonly #searchTimeoutMs: number;
  readonly #onMove: () => void;
  readonly #budget: RetryBudget;
  readonly #farewells = new Farewells();
  /** All that are open, the retired ones included. */
  readonly #links = new Set<Link>();
  readonly #rejoins = new Map<string, SharedWork<Link>>();
  /** The latest one; new calls go there unless it has been retired. */
  #link: Link;
  #search: SharedWork<Link> | undefined;
  #closing: Promise<void> | undefined;

  constructor(finder: DriverFinder, first: FoundDriver, options: FollowOptions = {}) {
    this.#finder = finder;
    this.#searchTimeoutMs = options.searchTimeoutMs ?? defaultSearchTimeoutMs;
    this.#onMove = options.onMove ?? (() => {});
    this.#budget = new RetryBudget(options.budget);
    this.#link = this.#linkTo(first);
  }

  get instanceId(): string {
    return this.#link.channel.instanceId || this.#link.instanceId;
  }

  get address(): string {
    return this.#link.channel.address;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    using route = await this.route({ ...options, timeoutMs: options.timeoutMs ?? defaultTimeoutMs });
    for (;;) {
      try {
        const response = await route.channel.unary(method, request, route.options);
        route.advanced();
        return response;
      } catch (error) {
        await this.#goOn(route, error, method);
      }
    }
  }

  /** Repeated only while nothing of the answer has come. */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
    onBytes?: (bytes: number) => void,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    using route = await this.route(options);
    let begun = false;
    for (;;) {
      try {
        for await (const message of route.channel.stream(method, request, route.options, onBytes)) {
          begun = true;
          yield message;
        }
        route.advanced();
        return;
      } catch (error) {
        if (begun) throw error;
        await this.#goOn(route, error, method);
      }
    }
  }

  /** Repeated only while nothing was processed and all that was sent is still at hand. */
  async clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    using route = await this.route(options);
    using sent = new Replay(requests);
    for (;;) {
      try {
        const response = await route.channel.clientStream(method, sent.all(), route.options);
        route.advanced();
        return response;
      } catch (error) {
        if (isLoss(error) && !isUnprocessed(error))
          throw instanceLost(`${method.name}: how much of it took effect is not known`, route.instanceId, error);
        if (!sent.whole) throw error;
        await route.next(error);
      }
    }
  }

  async route(options: CallOptions): Promise<Route> {
    const route = new FollowingRoute(this, options, this.#budget);
    await route.begin();
    return route;
  }

  get ready(): Link | undefined {
    this.#refuseClosed();
    return this.#link.retired ? undefined : this.#link;
  }

  /** The link for new work, looked for where the latest one is no good any more. */
  async current(signal: AbortSignal): Promise<Link> {
    if (this.ready !== undefined) return this.ready;
    if (this.#search === undefined || this.#search.abandoned) this.#search = this.#startSearch();
    return this.#search.join(signal);
  }

  /** Another link to an instance that may be draining; undefined where it is gone. */
  async rejoin(instanceId: string, signal: AbortSignal): Promise<Link | undefined> {
    this.#refuseClosed();
    if (this.ready?.instanceId === instanceId) return this.ready;
    let shared = this.#rejoins.get(instanceId);
    if (shared === undefined || shared.abandoned) {
      shared = this.#startRejoin(instanceId);
      if (shared === undefined) return undefined;
      this.#rejoins.set(instanceId, shared);
    }
    try {
      return await shared.join(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return undefined;
    }
  }

  /** New work goes to the next driver once `instanceId` is known to drain. */
  retire(instanceId: string): void {
    if (this.#link.instanceId === instanceId) this.#link.retire();
  }

  part(link: Link, work: (channel: Transport) => Promise<unknown>): void {
    if (this.#closing !== undefined) return;
    link.hold();
    this.#farewells.add(work(link.channel).finally(() => link.release()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = clientError("CLIENT_CLOSED", "the client was closed during the call");
    this.#search?.abort(closed);
    for (const rejoin of this.#rejoins.values()) rejoin.abort(closed);
    await this.#farewells.done();
    const links = [...this.#links];
    this.#links.clear();
    await Promise.all(links.map(({ channel }) => channel[Symbol.asyncDispose]()));
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw clientError("CLIENT_CLOSED", "the client is closed");
  }

  /** To the next try of a call, or out with its error. */
  async #goOn(route: Route, error: unknown, method: DescMethod): Promise<void> {
    if (isLoss(error) && !isRepeatable(method)) {
      if (!isUnprocessed(error))
        throw instanceLost(`${method.name}: whether it took effect is not known`, route.instanceId, error);
      if (isAboutProcess(method)) throw error;
    }
    await route.next(error);
  }

  #startSearch(): SharedWork<Link> {
    const lost = this.#link.instanceId;
    const search: SharedWork<Link> = new SharedWork(async (abandoned) => {
      const limit = AbortSignal.timeout(this.#searchTimeoutMs);
      const signal = AbortSignal.any([abandoned, limit]);
      try {
        const link = await this.#arrive(this.#finder.find({ signal, lost }), abandoned);
        this.#link = link;
        this.#onMove();
        return link;
      } catch (error) {
        if (abandoned.aborted) throw abortError(abandoned.reason);
        if (!limit.aborted) throw error;
        const message = `no driver was found within ${this.#searchTimeoutMs} ms`;
        throw clientError("UNREACHABLE", message, { cause: error });
      } finally {
        if (this.#search === search) this.#search = undefined;
      }
    });
    return search;
  }

  #startRejoin(instanceId: string): SharedWork<Link> | undefined {
    const { rejoin } = this.#finder;
    if (rejoin === undefined) return undefined;
    const shared: SharedWork<Link> = new SharedWork(async (abandoned) => {
      try {
        const found = rejoin.call(this.#finder, instanceId, { signal: abandoned });
        const { info } = await found;
        const link = await this.#arrive(found, abandoned);
        // Where it still takes work, that was the search too.
        if (info.state === "serving" && this.#link.retired && this.#link.instanceId === instanceId) this.#link = link;
        else link.reserve();
        return link;
      } finally {
        if (this.#rejoins.get(instanceId) === shared) this.#rejoins.delete(instanceId);
      }
    });
    return shared;
  }

  /** What arrives when nobody waits for it any more is let go of. */
  async #arrive(finding: Promise<FoundDriver>, abandoned: AbortSignal): Promise<Link> {
    const found = await finding;
    if (!abandoned.aborted) return this.#linkTo(found);
    await found.channel[Symbol.asyncDispose]();
    throw abortError(abandoned.reason);
  }

  #linkTo({ channel, info }: FoundDriver): Link {
    const link = new Link(channel, info, () => {
      if (this.#links.delete(link)) void closeQuietly(channel);
    });
    this.#links.add(link);
    return link;
  }
}

/** An error while closing what nobody uses is nobody's. */
async function closeQuietly(channel: Transport): Promise<void> {
  try {
    await channel[Symbol.asyncDispose]();
  } catch {}
}
