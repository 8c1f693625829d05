import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Bearer } from "../access/access.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Activity } from "../lifecycle/activity.ts";
import type { Readiness } from "../lifecycle/readiness.ts";
import { requireServing } from "../lifecycle/serving.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import { admit } from "./admit.ts";
import { type ActiveCall, clientGone } from "./call.ts";
import { receive } from "./receive.ts";
import type { BoundClientStream, BoundMethod, BoundStream, BoundUnary } from "./service.ts";

/** Throws INVALID_REQUEST with field violations. */
export type Validate = (schema: DescMessage, message: Message) => Promise<void> | undefined;

export interface DispatcherOptions {
  readonly methods: readonly BoundMethod[];
  readonly activity: Activity;
  readonly readiness: Readiness;
  readonly validate: Validate;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What both stacks do with a call once its message is decoded: refuse, validate, run, count, log. */
export class Dispatcher {
  readonly methods: readonly BoundMethod[];
  readonly #activity: Activity;
  readonly #readiness: Readiness;
  readonly #validate: Validate;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #active = new Set<ActiveCall>();
  #working = 0;
  readonly #waiters = new Set<() => void>();

  constructor(options: DispatcherOptions) {
    this.methods = options.methods;
    this.#activity = options.activity;
    this.#readiness = options.readiness;
    this.#validate = options.validate;
    this.#metrics = options.metrics;
    this.#logger = options.logger;
    options.metrics.collect((set) => set("drover_rpc_in_flight", [], this.#active.size));
  }

  /** Runs a unary method. Rejects with a DriverError only. */
  async unary(bound: BoundUnary, request: Message, call: ActiveCall): Promise<Message> {
    const startedAt = this.#begin(bound, call);
    let error: DriverError | undefined;
    try {
      const checked = this.#check(bound, request, call);
      if (checked) await checked;
      return await bound.handler(request, call);
    } catch (thrown) {
      error = DriverError.from(thrown);
      throw error;
    } finally {
      this.#end(bound, call, startedAt, error);
    }
  }

  /** Runs a streaming method. Throws a DriverError only. Leaving the loop stops the handler. */
  async *stream(bound: BoundStream, request: Message, call: ActiveCall): AsyncGenerator<Message> {
    const startedAt = this.#begin(bound, call);
    let error: DriverError | undefined;
    let ended = false;
    try {
      const checked = this.#check(bound, request, call);
      if (checked) await checked;
      yield* bound.handler(request, call);
      ended = true;
    } catch (thrown) {
      error = DriverError.from(thrown);
      throw error;
    } finally {
      // A consumer that leaves early skips both `ended` and `catch`.
      this.#end(bound, call, startedAt, error ?? (ended ? undefined : (call.abortReason ?? clientGone())));
    }
  }

  /** Runs a method that takes a stream of messages. Rejects with a DriverError only. */
  async clientStream(bound: BoundClientStream, requests: AsyncIterable<Message>, call: ActiveCall): Promise<Message> {
    const startedAt = this.#begin(bound, call);
    let error: DriverError | undefined;
    try {
      this.#admit(bound, call);
      const validate = (request: Message) => this.#validate(bound.method.input, request);
      return await bound.handler(receive(requests, { validate, signal: call.signal }), call);
    } catch (thrown) {
      // What ended the call is what went wrong, whatever the handler made of it.
      error = call.abortReason ?? DriverError.from(thrown);
      throw error;
    } finally {
      this.#end(bound, call, startedAt, error);
    }
  }

  /** Records a call that was refused before it got here. */
  refused(path: string, call: { readonly requestId: string }, error: DriverError): void {
    this.#metrics.count("drover_errors_total", [error.reason]);
    this.#logger.debug("call refused", { rpc: path, requestId: call.requestId, reason: error.reason });
  }

  /** Aborts the calls whose tokens hold no more. */
  endRefused(): void {
    const refusals = new Map<Bearer, DriverError | undefined>();
    for (const call of [...this.#active]) {
      const { bearer } = call;
      if (bearer?.refusal === undefined) continue;
      if (!refusals.has(bearer)) refusals.set(bearer, bearer.refusal());
      const refusal = refusals.get(bearer);
      if (refusal !== undefined) call.abort(() => refusal);
    }
  }

  /** Aborts every call that still runs. */
  abortAll(reason: DriverError): void {
    for (const call of [...this.#active]) call.abort(() => reason);
  }

  /** Settles when no call does work, or when the signal is aborted. */
  workDone(options: { readonly signal: AbortSignal }): Promise<void> {
    return this.#until(() => this.#working === 0, options);
  }

  /** Settles when there is no call, or when the signal is aborted. */
  callsDone(options: { readonly signal: AbortSignal }): Promise<void> {
    return this.#until(() => this.#active.size === 0, options);
  }

  async #until(condition: () => boolean, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!condition() && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const settle = () => {
          this.#waiters.delete(settle);
          signal.removeEventListener("abort", settle);
          resolve();
        };
        this.#waiters.add(settle);
        signal.addEventListener("abort", settle);
      });
    }
  }

  #check(bound: BoundMethod, request: Message, call: ActiveCall): Promise<void> | undefined {
    this.#admit(bound, call);
    return this.#validate(bound.method.input, request);
  }

  #admit(bound: BoundMethod, call: ActiveCall): void {
    if (bound.role !== undefined) admit(bound, bound.role, call);
    if (bound.work) requireServing(this.#readiness);
  }

  #begin(bound: BoundMethod, call: ActiveCall): number {
    this.#active.add(call);
    if (bound.awaited) this.#working++;
    if (bound.authenticated) this.#activity.callBegan();
    return performance.now();
  }

  #end(bound: BoundMethod, call: ActiveCall, startedAt: number, error: DriverError | undefined): void {
    call.end();
    this.#active.delete(call);
    if (bound.awaited) this.#working--;
    if (bound.authenticated) this.#activity.callEnded();
    for (const wake of this.#waiters) wake();
    const milliseconds = performance.now() - startedAt;
    this.#metrics.observe("drover_rpc_duration_seconds", [bound.path, String(error?.code ?? 0)], milliseconds / 1000);
    if (error) this.#metrics.count("drover_errors_total", [error.reason]);
    // Whoever shows no token must not fill the log.
    const expected = error === undefined || !bound.authenticated ? "debug" : "info";
    const level = error?.reason === "INTERNAL" ? "error" : expected;
    if (!this.#logger.enabled(level)) return;
    this.#logger[level]("call", {
      rpc: bound.path,
      requestId: call.requestId,
      operationId: call.operationId,
      traceparent: call.traceparent,
      principal: call.principal,
      endUser: call.endUser,
      protocol: call.protocol,
      milliseconds: Math.round(milliseconds * 100) / 100,
      ...(error && { reason: error.reason, error: error.reason === "INTERNAL" ? error : error.message }),
    });
  }
}
