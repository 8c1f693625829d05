import type { ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type {
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import type { Bearer } from "../../access/access.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { ActiveCall, clientGone, deadlinePassed, readTraceparent } from "../call.ts";
import { decodeMessage } from "../decode-message.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { END_USER_HEADER } from "../end-user.ts";
import { SCOPE_HEADER } from "../mapping/scopes.ts";
import type { BoundClientStream, BoundStream, BoundUnary } from "../service.ts";
import { deadlineOf, refusalOf, requestIdOf, responseMetadata, toGrpcStatus } from "./call-guard.ts";

/**
 * Messages that one stream may have under way to a slow reader, each of at most about 1 MiB. With one, the socket would
 * idle while the next is made.
 */
const MAX_UNSENT_MESSAGES = 2;
/** A client's own deadline fires a little before ours and looks like the client leaving. */
const DEADLINE_TOLERANCE_MS = 20;
/** Messages of a client's stream that are read ahead; each may have the limit of a request. */
const MAX_READ_AHEAD = 2;

type GrpcCall =
  | ServerUnaryCall<Buffer, Message>
  | ServerWritableStream<Buffer, Message>
  | ServerReadableStream<Buffer, Message>;

export interface GrpcContext {
  readonly dispatcher: Dispatcher;
  readonly instanceId: string;
  /** What the call's token allows; undefined where none was asked for. */
  bearerOf(call: GrpcCall): Bearer | undefined;
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

export function clientStreamHandler(
  bound: BoundClientStream,
  context: GrpcContext,
): handleClientStreamingCall<Buffer, Message> {
  return (call, callback) => {
    const active = activeCall(call, context);
    const metadata = responseMetadata(context.instanceId, active.requestId);
    const messages = received(bound, call);
    context.dispatcher.clientStream(bound, messages, active).then(
      (response) => {
        call.sendMetadata(metadata);
        callback(null, response);
      },
      (error: unknown) => callback(toGrpcStatus(DriverError.from(error), metadata)),
    );
  };
}

/** The messages of a stream, read from the wire as they are asked for. */
async function* received(
  bound: BoundClientStream,
  call: ServerReadableStream<Buffer, Message>,
): AsyncGenerator<Message, void, undefined> {
  limitReadAhead(call);
  const messages = call.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (;;) {
    const next = await messages.next().catch((error: unknown) => {
      // grpc-js ends what is cancelled in the middle as a stream that was destroyed.
      throw call.cancelled ? cancelReason(call) : error;
    });
    if (next.done) break;
    yield decodeMessage(bound.method.input, "proto", next.value);
  }
  if (wasCut(call)) throw cancelReason(call);
}

/**
 * Whether the end of a stream's messages is that of its call, as far as it is known by now: grpc-js tells of a cancel only later.
 * There is no public way to the HTTP/2 stream; a test cancels streams in the middle.
 */
function wasCut(call: ServerReadableStream<Buffer, Message>): boolean {
  const { stream }: { readonly stream: ServerHttp2Stream } = (call as unknown as { readonly call: never }).call;
  return stream.closed || stream.destroyed;
}

/** grpc-js makes the stream with Node's default of 16 objects and has no option for it; a test counts what it reads ahead. */
function limitReadAhead(call: ServerReadableStream<Buffer, Message>): void {
  const { _readableState: state }: { readonly _readableState: { highWaterMark: number } } = call as never;
  state.highWaterMark = MAX_READ_AHEAD;
}

function activeCall(call: GrpcCall, context: GrpcContext): ActiveCall {
  return new ActiveCall({
    requestId: requestIdOf(call.metadata),
    traceparent: readTraceparent(call.metadata.get("traceparent")[0]?.toString()),
    bearer: context.bearerOf(call),
    endUserHeader: headerOf(call, END_USER_HEADER),
    scopeHeader: headerOf(call, SCOPE_HEADER),
    peer: () => call.getPeer(),
    deadlineMs: deadlineOf(call.metadata),
    protocol: "grpc",
    json: false,
    watch: (active) => {
      const abort = () => active.abort(() => cancelReason(call));
      if (call.cancelled) abort();
      // One event with one meaning, but TypeScript can't call the union of the three signatures.
      else (call as ServerUnaryCall<Buffer, Message>).once("cancelled", abort);
    },
  });
}

/** Several are none that can be read: whichever was taken, it might be the wrong one. */
function headerOf({ metadata }: GrpcCall, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.join(",");
}

function cancelReason(call: GrpcCall): DriverError {
  const refusal = refusalOf(call.metadata);
  if (refusal) return refusal;
  const deadlineMs = deadlineOf(call.metadata) ?? Number.POSITIVE_INFINITY;
  return performance.now() >= deadlineMs - DEADLINE_TOLERANCE_MS ? deadlinePassed() : clientGone();
}
