import { Metadata, type ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import type { Bearer } from "../../access/access.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Authenticate } from "../authenticate.ts";
import { nextRequestId } from "../call.ts";
import { requestLimit } from "../service.ts";
import { statusBytes, statusMessage } from "../status.ts";

type ServerInterceptingCallInterface = Parameters<ServerInterceptor>[1];
type InterceptingServerListener = Parameters<ServerInterceptingCallInterface["start"]>[0];

const REQUEST_ID = "drover-request-id-assigned";
const REFUSAL = "drover-refusal";
const BEARER = "drover-bearer";
const DEADLINE = "drover-deadline";

export interface CallGuardOptions {
  readonly authenticate: Authenticate;
  /** Paths of the methods that need no token. */
  readonly open: ReadonlySet<string>;
  readonly instanceId: string;
  readonly maxRequestBytes: number;
  readonly refused: (path: string, requestId: string, error: DriverError) => void;
}

/** What a refusal looks like to grpc-js. */
export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

/**
 * Stands before every gRPC call: gives it an id, refuses it without the token before its message is read, and gives the
 * errors that grpc-js answers by itself (too large, undecodable, deadline) the reason that every error carries.
 *
 * grpc-js calls `sendStatus` of its own call object for those errors, which no responder of an interceptor sees; so the
 * method is replaced on that object, which an interceptor is given, instead of wrapping it. That also costs less: what
 * hangs on a call is copied by the garbage collector several times before the HTTP/2 stream goes.
 */
export function createCallGuard(options: CallGuardOptions): ServerInterceptor {
  return (definition, call) => {
    const requestId = nextRequestId();
    // grpc-js has just added the wall clock's time, which may be set before anybody takes it away again.
    const deadlineMs = performance.now() + (Number(call.getDeadline()) - Date.now());
    const open = options.open.has(definition.path);
    const maxRequestBytes = requestLimit({ authenticated: !open }, options.maxRequestBytes);
    if (open) limitMessage(call, maxRequestBytes);
    const base: ServerInterceptingCallInterface = Object.getPrototypeOf(call);
    let received: Metadata | undefined;
    const refuse = (error: DriverError) => {
      received?.setOpaque(REFUSAL, error);
      options.refused(definition.path, requestId, error);
      base.sendStatus.call(call, toGrpcStatus(error, responseMetadata(options.instanceId, requestId)));
    };
    call.sendStatus = (given) => {
      const ours = given.code === status.OK || given.metadata?.getOpaque(REQUEST_ID) !== undefined;
      if (ours) base.sendStatus.call(call, given);
      else refuse(explain(given.code ?? status.UNKNOWN, given.details ?? "", maxRequestBytes));
    };
    call.start = (listener) => {
      const authenticate = open ? undefined : options.authenticate;
      const onMetadata = (metadata: Metadata) => {
        received = metadata;
      };
      base.start.call(call, new GuardedListener(listener, { requestId, deadlineMs, authenticate, refuse, onMetadata }));
    };
    // Typed as a wrapper, but grpc-js asks no more of it than of the call itself.
    return call as ServerInterceptingCall;
  };
}

/** Under the server's own limit, before any of the message is read. grpc-js has no public way to it; a test sends a larger one. */
function limitMessage(call: ServerInterceptingCallInterface, maxBytes: number): void {
  const parts: { maxReceiveMessageSize: number; readonly decoder: { maxReadMessageLength: number } } = call as never;
  parts.maxReceiveMessageSize = maxBytes;
  parts.decoder.maxReadMessageLength = maxBytes;
}

interface Guard {
  readonly requestId: string;
  readonly deadlineMs: number;
  readonly authenticate: Authenticate | undefined;
  readonly refuse: (error: DriverError) => void;
  readonly onMetadata: (metadata: Metadata) => void;
}

/** Lets a call's events through once its metadata has shown the token. */
class GuardedListener implements InterceptingServerListener {
  readonly #listener: InterceptingServerListener;
  readonly #guard: Guard;

  constructor(listener: InterceptingServerListener, guard: Guard) {
    this.#listener = listener;
    this.#guard = guard;
  }

  onReceiveMetadata(metadata: Metadata): void {
    const { requestId, deadlineMs, authenticate, refuse, onMetadata } = this.#guard;
    const bearer = authenticate?.(metadata.get("authorization")[0]?.toString());
    if (bearer instanceof DriverError) {
      refuse(bearer);
      return;
    }
    metadata.setOpaque(BEARER, bearer);
    metadata.setOpaque(REQUEST_ID, requestId);
    if (Number.isFinite(deadlineMs)) metadata.setOpaque(DEADLINE, deadlineMs);
    onMetadata(metadata);
    this.#listener.onReceiveMetadata(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#listener.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.#listener.onReceiveHalfClose();
  }

  onCancel(): void {
    this.#listener.onCancel();
  }
}

/** The id that the guard gave the call to which this metadata belongs. */
export function requestIdOf(metadata: Metadata): string {
  return String(metadata.getOpaque(REQUEST_ID));
}

/** What the call's token allows; undefined where none was asked for. */
export function bearerOf(metadata: Metadata): Bearer | undefined {
  return metadata.getOpaque(BEARER) as Bearer | undefined;
}

/** When the client gives up, by `performance.now()`; undefined: never. */
export function deadlineOf(metadata: Metadata): number | undefined {
  return metadata.getOpaque(DEADLINE) as number | undefined;
}

/** Why grpc-js refused a message of a call that a handler takes already, if it did. */
export function refusalOf(metadata: Metadata): DriverError | undefined {
  return metadata.getOpaque(REFUSAL) as DriverError | undefined;
}

/** The metadata of every response. */
export function responseMetadata(instanceId: string, requestId: string): Metadata {
  const metadata = new Metadata();
  metadata.set("drover-instance-id", instanceId);
  metadata.set("drover-request-id", requestId);
  return metadata;
}

/** Adds the details to `metadata`, which becomes the status's trailers. */
export function toGrpcStatus(error: DriverError, metadata: Metadata): GrpcStatus {
  metadata.set("grpc-status-details-bin", statusBytes(error));
  metadata.setOpaque(REQUEST_ID, true);
  return { code: error.code, details: statusMessage(error), metadata };
}

function explain(code: number, details: string, maxRequestBytes: number): DriverError {
  switch (code) {
    case status.RESOURCE_EXHAUSTED:
      return new DriverError("REQUEST_TOO_LARGE", `the request is larger than ${maxRequestBytes} bytes`, {
        metadata: { maxRequestBytes: String(maxRequestBytes) },
      });
    case status.DEADLINE_EXCEEDED:
      return new DriverError("DEADLINE_EXCEEDED", "the deadline passed before the work was done");
    case status.CANCELLED:
      return new DriverError("CANCELLED", "the call was cancelled");
    default:
      return new DriverError("INVALID_REQUEST", `the call can't be read: ${details}`);
  }
}
