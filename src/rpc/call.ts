import { type Bearer, NOBODY } from "../access/access.ts";
import type { Access } from "../access/model.ts";
import { DriverError } from "../errors/driver-error.ts";

/** How a call came in. */
export type Protocol = "grpc" | "grpc-web" | "connect";

/** What a handler may know of its call. */
export interface Call {
  /** Aborted when the client is gone, the deadline has passed or the driver stops; its reason is a DriverError. */
  readonly signal: AbortSignal;
  /** Sent back as `drover-request-id`; in every log line of the call. */
  readonly requestId: string;
  /** The client's W3C trace context, as it came. */
  readonly traceparent: string | undefined;
  /** What the caller may do and see. */
  readonly access: Access;
  /** Who calls: the name that the token or the certificate carries. */
  readonly principal: string;
  /** When the client gives up, by `performance.now()`, as a wall clock may be set meanwhile; undefined: never. */
  readonly deadlineMs: number | undefined;
  /** Why what outlives the call must end with its token, if so; left out: that token has no end. */
  readonly tokenEnd: (() => DriverError | undefined) | undefined;
  /** For whom it calls, by its own account; undefined unless it says. */
  readonly endUser: string | undefined;
  /** The end user, else the principal. */
  readonly requestedBy: string;
  /** Whose turn it is where calls wait: the end user's, else the connection's, so that app servers with one token take turns. */
  readonly turn: string;
  readonly protocol: Protocol;
  /** Whether messages travel as JSON. */
  readonly json: boolean;
  /** Ends the call from here, though its reader may have stalled. */
  abort(reason: () => DriverError): void;
  /** The operation that the call is about, once a handler knows it: for the log. */
  operationId: string | undefined;
}

export interface CallOptions extends Pick<Call, "requestId" | "traceparent" | "protocol" | "json" | "deadlineMs"> {
  /** What the call's token allows; undefined where none was asked for. */
  readonly bearer: Bearer | undefined;
  /** The `drover-end-user` header, as it came. */
  readonly endUserHeader: string | undefined;
  /** The `drover-scope` header, as it came. */
  readonly scopeHeader: string | undefined;
  /** The other end of the connection; asked for only where it counts. */
  peer(): string;
  /** Called when the signal is first asked for: reports later aborts by `abort`. Most short calls never need it. */
  watch(call: ActiveCall): void;
}

/** A call under way. The signal is made when somebody asks for it: most short calls never do. */
export class ActiveCall implements Call {
  readonly requestId: string;
  readonly traceparent: string | undefined;
  readonly bearer: Bearer | undefined;
  readonly endUserHeader: string | undefined;
  readonly scopeHeader: string | undefined;
  access: Access = NOBODY;
  readonly protocol: Protocol;
  readonly json: boolean;
  readonly deadlineMs: number | undefined;
  operationId: string | undefined;
  #controller: AbortController | undefined;
  #reason: DriverError | undefined;
  #ended = false;
  readonly #watch: (call: ActiveCall) => void;
  readonly #peer: () => string;

  constructor(options: CallOptions) {
    this.requestId = options.requestId;
    this.traceparent = options.traceparent;
    this.bearer = options.bearer;
    this.protocol = options.protocol;
    this.json = options.json;
    this.deadlineMs = options.deadlineMs;
    this.endUserHeader = options.endUserHeader;
    this.scopeHeader = options.scopeHeader;
    this.#watch = options.watch;
    this.#peer = options.peer;
  }

  get principal(): string {
    return this.bearer?.principal ?? "";
  }

  get tokenEnd(): (() => DriverError | undefined) | undefined {
    return this.bearer?.end;
  }

  get endUser(): string | undefined {
    return this.access.endUser;
  }

  get requestedBy(): string {
    return this.endUser ?? this.principal;
  }

  get turn(): string {
    return this.endUser === undefined ? `connection ${this.#peer()}` : `user ${this.endUser}`;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
      else this.#watch(this);
    }
    return this.#controller.signal;
  }

  /** Why the call was aborted, if it was. */
  get abortReason(): DriverError | undefined {
    return this.#reason;
  }

  /**
   * Stops the call's work; the first reason counts, and none after the end. Both stacks report every end as an abort, so
   * the reason, which captures a stack, is made only when it counts (6 µs of 50 for a whole call).
   */
  abort(reason: () => DriverError): void {
    if (this.#ended || this.#reason) return;
    this.#reason = reason();
    this.#controller?.abort(this.#reason);
  }

  end(): void {
    this.#ended = true;
  }
}

export function clientGone(): DriverError {
  return new DriverError("CANCELLED", "the client left the call");
}

export function deadlinePassed(): DriverError {
  return new DriverError("DEADLINE_EXCEEDED", "the deadline passed before the work was done");
}

const PREFIX = Math.random().toString(36).slice(2, 8);
let lastRequest = 0;

/** Unique within a driver's life, and cheap: a random prefix of the process and a counter. */
export function nextRequestId(): string {
  return `${PREFIX}-${(++lastRequest).toString(36)}`;
}

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}/;

/** The header's value if it is a W3C trace context; what is not one must not reach the logs. */
export function readTraceparent(header: string | undefined): string | undefined {
  return header !== undefined && header.length <= 256 && TRACEPARENT.test(header) ? header : undefined;
}
