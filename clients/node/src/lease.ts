import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { basename } from "node:path";
import { msFrom } from "./answers-from-wire.ts";
import { clientError, DroverError } from "./errors.ts";
import { type CallConnection, connectionOf } from "./follow/call-connection.ts";
import { EventHub } from "./follow/event-hub.ts";
import { driverEventFrom } from "./from-wire.ts";
import { type AttachResponse, DriverService } from "./gen/drover/v1/driver_service_pb.js";
import type { DriverEvent } from "./model.ts";
import { retryDelayMs } from "./transport/pause.ts";
import type { Transport } from "./transport/transport.ts";

/** A connection for the lease alone. */
export interface LeaseConnection {
  readonly channel: Transport;
  readonly instanceId: string;
  /** Lets go of it. */
  close(): Promise<void>;
}

export interface LeaseOptions {
  /** The client's name for people. Default: the program's name and pid. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** Connects to the driver that is there, never starts one. `lost` is the instance that was lost or drains. */
  connect(options: { readonly signal: AbortSignal; readonly lost: string | undefined }): Promise<LeaseConnection>;
  /** Told when the driver begins to drain. */
  readonly onDraining?: ((instanceId: string) => void) | undefined;
  /**
   * Whether the process stays alive for it even where nobody reads events. Default: false, so that a program which does not close
   * its client can end.
   */
  readonly keepAlive?: boolean | undefined;
}

/** Silence for so many heartbeats means that the connection is dead. */
const missedHeartbeats = 3;
const defaultHeartbeatMs = 5_000;
const maxNameLength = 200;
const connectionHeader = "drover-connection";

/** The name that a client has unless it is given one. */
export function defaultLeaseName(): string {
  return `${basename(process.argv[1] ?? process.execPath)} ${process.pid}`.slice(0, maxNameLength);
}

/**
 * Holds a lease in the background: attached to the driver that is there, again after a broken connection, and to the next
 * driver once there is one. It starts none: the next call does.
 */
export class Lease implements AsyncDisposable {
  readonly #options: LeaseOptions;
  readonly #hub = new EventHub();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #connection: CallConnection | undefined;
  #attached = Promise.withResolvers<void>();
  #nudge = Promise.withResolvers<void>();
  #readers = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#running = this.#hold();
  }

  /** Settles when it is attached for the first time. */
  get attached(): Promise<void> {
    return this.#attached.promise;
  }

  /** The driver's events from now on, `attached` first. Ends with the signal's error or CLIENT_CLOSED. */
  async *events(signal?: AbortSignal): AsyncGenerator<DriverEvent, void, undefined> {
    this.#readers++;
    this.#keepAlive();
    try {
      yield* this.#hub.read(signal);
    } finally {
      this.#readers--;
      this.#keepAlive();
    }
  }

  /** There is news about where the driver is: an attempt that waits is made now. */
  nudge(): void {
    this.#nudge.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(clientError("CLIENT_CLOSED", "the client is closed"));
    this.#hub.close();
    this.#attached.resolve();
    await this.#running;
  }

  get #alive(): boolean {
    return this.#options.keepAlive === true || this.#readers > 0;
  }

  #keepAlive(): void {
    this.#connection?.keepAlive(this.#alive);
  }

  async #hold(): Promise<void> {
    const { signal } = this.#closing;
    let lost: string | undefined;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const connection = await this.#options.connect({ signal, lost });
        lost = connection.instanceId;
        try {
          if (await this.#attach(connection, signal)) attempt = 0;
        } finally {
          this.#hub.detached();
          await connection.close();
        }
      } catch (error) {
        if (error instanceof DroverError && error.reason === "CLIENT_CLOSED") break;
        // Why there is no driver now is the news of those who need one.
      }
      if (!signal.aborted) await this.#rest(retryDelayMs(attempt + 1), signal);
    }
    this.#hub.close();
  }

  /** Until the stream ends or the driver drains. Answers whether it was attached. */
  async #attach({ channel, instanceId }: LeaseConnection, closing: AbortSignal): Promise<boolean> {
    using silence = new Silence(defaultHeartbeatMs * missedHeartbeats);
    const mark = randomUUID();
    using connection = connectionOf(connectionHeader, mark);
    this.#connection = connection;
    let attached = false;
    try {
      const signal = AbortSignal.any([closing, silence.signal]);
      const options = { signal, headers: { [connectionHeader]: mark } };
      for await (const response of channel.stream(DriverService.method.attach, this.#request(), options)) {
        silence.broken();
        const { event } = response;
        if (event.case === "attached") {
          attached = true;
          const heartbeatMs = msFrom(event.value.heartbeatInterval) || defaultHeartbeatMs;
          silence.limitMs = heartbeatMs * missedHeartbeats;
          this.#keepAlive();
          this.#attached.resolve();
        }
        if (this.#tell(response, channel.instanceId || instanceId)) break;
      }
    } catch (error) {
      if (!(error instanceof DroverError) || error.reason === "CLIENT_CLOSED") throw error;
      if (hopeless.has(error.reason)) this.#hub.fail(error);
    } finally {
      this.#connection = undefined;
    }
    return attached;
  }

  /** Answers whether the driver drains. */
  #tell(response: AttachResponse, instanceId: string): boolean {
    const event = driverEventFrom(response, instanceId);
    if (event === undefined) return false;
    this.#hub.emit(event);
    if (event.type !== "draining") return false;
    this.#options.onDraining?.(instanceId);
    return true;
  }

  #request() {
    const { name = defaultLeaseName(), version = "" } = this.#options;
    return { clientName: name, clientHost: hostname(), clientPid: process.pid, clientVersion: version };
  }

  async #rest(delayMs: number, signal: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, delayMs);
    if (!this.#alive) timer.unref();
    signal.addEventListener("abort", over.resolve as () => void, { once: true });
    await Promise.race([over.promise, this.#nudge.promise]);
    signal.removeEventListener("abort", over.resolve as () => void);
    clearTimeout(timer);
    this.#nudge = Promise.withResolvers();
  }
}

/** What no other attempt at this driver changes: who waits for events is told. The next driver may do better. */
const hopeless: ReadonlySet<string> = new Set([
  "UNIMPLEMENTED",
  "UNKNOWN_METHOD",
  "INVALID_REQUEST",
  "UNAUTHENTICATED",
  "TOKEN_EXPIRED",
  "TOKEN_REVOKED",
  "ACCESS_DENIED",
]);

/** Aborts its signal when nothing breaks it for a time. */
class Silence implements Disposable {
  readonly #controller = new AbortController();
  #limitMs: number;
  #timer: NodeJS.Timeout;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  set limitMs(limitMs: number) {
    this.#limitMs = limitMs;
    this.broken();
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #start(): NodeJS.Timeout {
    const abort = () => this.#controller.abort(clientError("STREAM_CUT", "the driver is silent"));
    return setTimeout(abort, this.#limitMs).unref();
  }
}
