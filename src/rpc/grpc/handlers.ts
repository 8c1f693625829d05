import type { Message } from "@bufbuild/protobuf";
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { DriverError } from "../../errors/driver-error.ts";
import { ActiveCall, clientGone, deadlinePassed, readTraceparent } from "../call.ts";
import { decodeMessage } from "../decode-message.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { END_USER_HEADER } from "../end-user.ts";
import type { BoundStream, BoundUnary } from "../service.ts";
import { requestIdOf, responseMetadata, toGrpcStatus } from "./call-guard.ts";

/**
 * Messages that one stream may have under way to a slow reader, each of at most about 1 MiB. With one, the socket would
 * idle while the next is made.
 */
const MAX_UNSENT_MESSAGES = 2;
/** A client's own deadline fires a little before ours and looks like the client leaving. */
const DEADLINE_TOLERANCE_MS = 20;

type GrpcCall = ServerUnaryCall<Buffer, Message> | ServerWritableStream<Buffer, Message>;

export interface GrpcContext {
  readonly dispatcher: Dispatcher;
  readonly instanceId: string;
  /** The name in the client's certificate, where certificates are demanded; else the token's. */
  principalOf(call: GrpcCall): string;
}

export function unaryHandler(bound: BoundUnary, context: GrpcContext): handleUnaryCall<Buffer, Message> {
  return (call, callback) => {
    const active = activeCall(call, context);
    const metadata = responseMetadata(context.instanceId, active.requestId);
    run(bound, call, active, context).then(
      (response) => {
        call.sendMetadata(metadata);
        callback(null, response);
      },
      (error: unknown) => callback(toGrpcStatus(DriverError.from(error), metadata)),
    );
  };
}

async function run(
  bound: BoundUnary,
  call: ServerUnaryCall<Buffer, Message>,
  active: ActiveCall,
  { dispatcher }: GrpcContext,
): Promise<Message> {
  return dispatcher.unary(bound, decodeMessage(bound.method.input, "proto", call.request), active);
}

export function streamHandler(bound: BoundStream, context: GrpcContext): handleServerStreamingCall<Buffer, Message> {
  return (call) => {
    const active = activeCall(call, context);
    call.sendMetadata(responseMetadata(context.instanceId, active.requestId));
    pump(bound, call, active, context).then(
      () => call.end(),
      (error: unknown) => {
        // grpc-js takes an `error` event as the status of a stream.
        if (!call.cancelled) {
          const metadata = responseMetadata(context.instanceId, active.requestId);
          call.emit("error", toGrpcStatus(DriverError.from(error), metadata));
        }
      },
    );
  };
}

/** Writes a handler's messages as fast as the reader takes them. */
async function pump(
  bound: BoundStream,
  call: ServerWritableStream<Buffer, Message>,
  active: ActiveCall,
  { dispatcher }: GrpcContext,
): Promise<void> {
  const request = decodeMessage(bound.method.input, "proto", call.request);
  let unsent = 0;
  let wake: (() => void) | undefined;
  const sent = () => {
    unsent--;
    wake?.();
  };
  // grpc-js forgets the callbacks of a cancelled call's writes, and the driver's end waits for no reader.
  call.on("cancelled", () => wake?.());
  active.signal.addEventListener("abort", () => wake?.());
  for await (const message of dispatcher.stream(bound, request, active)) {
    unsent++;
    call.write(message, sent);
    while (unsent >= MAX_UNSENT_MESSAGES && !call.cancelled && !active.abortReason) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (call.cancelled || active.abortReason) throw active.abortReason ?? cancelReason(call);
  }
}

function activeCall(call: GrpcCall, context: GrpcContext): ActiveCall {
  return new ActiveCall({
    requestId: requestIdOf(call.metadata),
    traceparent: readTraceparent(call.metadata.get("traceparent")[0]?.toString()),
    principal: context.principalOf(call),
    endUserHeader: call.metadata.get(END_USER_HEADER)[0]?.toString(),
    peer: () => call.getPeer(),
    deadline: () => finite(Number(call.getDeadline())),
    protocol: "grpc",
    json: false,
    watch: (active) => {
      const abort = () => active.abort(() => cancelReason(call));
      if (call.cancelled) abort();
      else call.once("cancelled", abort);
    },
  });
}

function finite(time: number): number | undefined {
  return Number.isFinite(time) ? time : undefined;
}

function cancelReason(call: GrpcCall): DriverError {
  const late = Date.now() >= Number(call.getDeadline()) - DEADLINE_TOLERANCE_MS;
  return late ? deadlinePassed() : clientGone();
}
