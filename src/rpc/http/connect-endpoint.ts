import type { IncomingMessage, ServerResponse } from "node:http";
import {
  createRegistry,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
} from "@bufbuild/protobuf";
import {
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { Bearer } from "../../access/access.ts";
import { Code } from "../../errors/code.ts";
import { DriverError } from "../../errors/driver-error.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { ActiveCall, clientGone, deadlinePassed, type Protocol, readTraceparent } from "../call.ts";
import { decodeMessage } from "../decode-message.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { END_USER_HEADER } from "../end-user.ts";
import { SCOPE_HEADER } from "../mapping/scopes.ts";
import {
  type BoundClientStream,
  type BoundMethod,
  type BoundStream,
  type BoundUnary,
  requestLimit,
} from "../service.ts";
import { statusDetails, statusMessage } from "../status.ts";
import { type Body, bodyBytes, discardBody, emptyBody, readBody } from "./request-body.ts";
import { bodyFormat, checkTimeout, findMisfit, type Misfit } from "./request-format.ts";
import { requestStream } from "./request-stream.ts";

/** A misspelt field must not pass for one that was left out. */
const JSON_OPTIONS = {
  ignoreUnknownFields: false,
  alwaysEmitImplicit: true,
  // What the errors of operations that failed carry.
  registry: createRegistry(BadRequestSchema, ErrorInfoSchema, HelpSchema, RetryInfoSchema),
};
const ENCODING_HEADERS = ["content-encoding", "connect-content-encoding", "grpc-encoding"];
const TIMEOUT_HEADERS = ["connect-timeout-ms", "grpc-timeout"];

/** What the HTTP stack knows of a call before its message is read. */
export interface Arrival {
  readonly path: string;
  readonly requestId: string;
  /** What the call's token allows; undefined where none was asked for, or where it is refused. */
  readonly bearer?: Bearer | undefined;
  /** The other end of the connection. */
  readonly peer: string;
  /** Why the call is refused, if it is. */
  readonly refusal?: DriverError | undefined;
}

export interface ConnectEndpoint {
  answer(request: IncomingMessage, response: ServerResponse, arrival: Arrival): Promise<void>;
}

export interface ConnectEndpointOptions {
  readonly dispatcher: Dispatcher;
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly maxRequestBytes: number;
}

/** What a handler needs to know of its call. */
interface Received extends Arrival {
  /** Why a message of a stream could not be read, once that is so: Connect hides it. */
  fault?: DriverError;
}

const receivedKey = createContextKey<Received | undefined>(undefined);

/** Connect and gRPC-Web over HTTP/1.1, by connectrpc. Loaded when the first such call comes: 128 ms unbundled. */
export function createConnectEndpoint({
  dispatcher,
  methods,
  maxRequestBytes,
}: ConnectEndpointOptions): ConnectEndpoint {
  const router = createConnectRouter({
    grpc: false,
    acceptCompression: [compressionGzip],
    readMaxBytes: maxRequestBytes,
    jsonOptions: JSON_OPTIONS,
  });
  for (const bound of methods.values()) route(router, bound, dispatcher);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return {
    answer: async (request, response, arrival) => {
      const handler = handlers.get(arrival.path);
      if (handler === undefined) {
        const error = new DriverError("UNKNOWN_METHOD", `the driver has nothing at ${request.method} ${arrival.path}`, {
          metadata: { method: arrival.path },
        });
        return answerError(response, arrival, { status: 404, error }, dispatcher);
      }
      const misfit = findMisfit(request, handler.method, JSON_OPTIONS);
      if (misfit) return answerError(response, arrival, misfit, dispatcher);
      const limit = requestLimit(methods.get(arrival.path) ?? { authenticated: true }, maxRequestBytes);
      await handle(handler, request, response, arrival, limit);
    },
  };
}

async function handle(
  handler: UniversalHandler,
  request: IncomingMessage,
  response: ServerResponse,
  arrival: Arrival,
  maxRequestBytes: number,
): Promise<void> {
  const received: Received = { ...arrival };
  const { body, refusal } = await receive(handler, request, received, maxRequestBytes);
  const values = createContextValues().set(receivedKey, Object.assign(received, { refusal }));
  const universal = universalRequestFromNodeRequest(request, response, undefined, values);
  if (body) for (const name of ENCODING_HEADERS) universal.header.delete(name);
  const bytes = body && "message" in body ? bodyBytes(body) : undefined;
  if (bytes) universal.header.set("content-length", String(bytes.length));
  // What can't be read there would keep Connect from getting as far as the refusal.
  if (refusal) for (const name of TIMEOUT_HEADERS) universal.header.delete(name);
  const messages = body && "stream" in body ? body.stream : bytes && once(bytes);
  const answer = await handler({ ...universal, ...(messages && { body: messages }) });
  // A stream that its handler did not take to the end.
  if (body && "stream" in body && !request.complete) await discardBody(request);
  // What is still to come would be taken for the next request.
  if (!request.complete) response.setHeader("connection", "close");
  await universalResponseToNodeResponse(answer, response).catch((error: unknown) => {
    // A client that left while it was answered; its call's signal has told the handler.
    if (!response.destroyed) throw error;
  });
}

/** What comes of a request: its one message, or the messages of its stream as they are asked for. */
type Incoming = Body | { readonly stream: AsyncIterable<Uint8Array> };

/**
 * Reads and checks the message. What is refused goes on with an empty message in its place, so that Connect writes the
 * error in the protocol that the client speaks; the handler then throws it.
 */
async function receive(
  handler: UniversalHandler,
  request: IncomingMessage,
  received: Received,
  maxRequestBytes: number,
): Promise<{ readonly body?: Incoming; readonly refusal: DriverError | undefined }> {
  const { refusal } = received;
  const format = bodyFormat(request.headers["content-type"]);
  if (request.method !== "POST" || format === undefined) return { refusal };
  if (refusal) {
    await discardBody(request);
    return { body: emptyBody(format), refusal };
  }
  // Connect's own answer to a message that can't be decoded would carry no reason.
  const check = (message: Buffer) => void decodeMessage(handler.method.input, format.encoding, message, JSON_OPTIONS);
  try {
    if (handler.method.methodKind === "client_streaming") {
      checkTimeout(request);
      return { body: { stream: noted(requestStream(request, { format, maxRequestBytes, check }), received) }, refusal };
    }
    const body = await readBody(request, format, maxRequestBytes);
    checkTimeout(request);
    check(body.message);
    return { body, refusal: undefined };
  } catch (error) {
    return { body: emptyBody(format), refusal: DriverError.from(error) };
  }
}

/** Keeps why a stream fails. */
async function* noted(messages: AsyncIterable<Buffer>, received: Received): AsyncGenerator<Uint8Array> {
  try {
    yield* messages;
  } catch (error) {
    received.fault = DriverError.from(error);
    throw error;
  }
}

async function* once(body: Buffer): AsyncIterable<Uint8Array> {
  yield body;
}

function route(router: ConnectRouter, bound: BoundMethod, dispatcher: Dispatcher): void {
  switch (bound.kind) {
    case "unary":
      router.rpc(bound.method as DescMethodUnary, (request, context) =>
        answerUnary(bound, request, context, dispatcher),
      );
      break;
    case "stream":
      router.rpc(bound.method as DescMethodServerStreaming, (request, context) =>
        answerStream(bound, request, context, dispatcher),
      );
      break;
    case "clientStream":
      router.rpc(bound.method as DescMethodClientStreaming, (requests, context) =>
        answerClientStream(bound, requests, context, dispatcher),
      );
      break;
  }
}

async function answerUnary(
  bound: BoundUnary,
  request: Message,
  context: HandlerContext,
  dispatcher: Dispatcher,
): Promise<Message> {
  try {
    return await dispatcher.unary(bound, request, activeCall(bound, context, dispatcher));
  } catch (error) {
    throw toConnectError(error);
  }
}

async function* answerStream(
  bound: BoundStream,
  request: Message,
  context: HandlerContext,
  dispatcher: Dispatcher,
): AsyncGenerator<Message> {
  try {
    yield* dispatcher.stream(bound, request, activeCall(bound, context, dispatcher));
  } catch (error) {
    throw toConnectError(error);
  }
}

async function answerClientStream(
  bound: BoundClientStream,
  requests: AsyncIterable<Message>,
  context: HandlerContext,
  dispatcher: Dispatcher,
): Promise<Message> {
  try {
    return await dispatcher.clientStream(bound, explained(requests, context), activeCall(bound, context, dispatcher));
  } catch (error) {
    throw toConnectError(error);
  }
}

/** Throws what was wrong with a stream in place of what Connect makes of it. */
async function* explained(requests: AsyncIterable<Message>, context: HandlerContext): AsyncGenerator<Message> {
  try {
    yield* requests;
  } catch (error) {
    throw context.values.get(receivedKey)?.fault ?? error;
  }
}

/** Throws the refusal of a call that is refused. */
function activeCall(bound: BoundMethod, context: HandlerContext, dispatcher: Dispatcher): ActiveCall {
  const arrival = context.values.get(receivedKey);
  if (arrival === undefined) throw new Error("the call did not come through the HTTP stack");
  if (arrival.refusal) {
    dispatcher.refused(bound.path, arrival, arrival.refusal);
    throw arrival.refusal;
  }
  const leftMs = context.timeoutMs();
  return new ActiveCall({
    requestId: arrival.requestId,
    bearer: arrival.bearer,
    endUserHeader: context.requestHeader.get(END_USER_HEADER) ?? undefined,
    scopeHeader: context.requestHeader.get(SCOPE_HEADER) ?? undefined,
    peer: () => arrival.peer,
    deadlineMs: leftMs === undefined ? undefined : performance.now() + leftMs,
    traceparent: readTraceparent(context.requestHeader.get("traceparent") ?? undefined),
    protocol: context.protocolName as Protocol,
    json: (context.requestHeader.get("content-type") ?? "application/json").includes("json"),
    watch: (call) => {
      const { signal } = context;
      const abort = () => call.abort(signal.reason?.code === Code.DEADLINE_EXCEEDED ? deadlinePassed : clientGone);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    },
  });
}

function toConnectError(thrown: unknown): ConnectError {
  const error = DriverError.from(thrown);
  return new ConnectError(statusMessage(error), error.code, undefined, [...statusDetails(error)]);
}

/** Answers what no protocol's own error could: the path, the verb or the content type is at fault. */
function answerError(response: ServerResponse, arrival: Arrival, misfit: Misfit, dispatcher: Dispatcher): void {
  const { refusal } = arrival;
  const { status, error } = refusal
    ? { status: refusal.code === Code.UNAUTHENTICATED ? 401 : 403, error: refusal }
    : misfit;
  dispatcher.refused("unknown", arrival, error);
  response.setHeader("connection", "close");
  if (status === 405) response.setHeader("allow", "POST");
  response.writeHead(status, { "content-type": "application/json" });
  response.end(errorToJsonBytes(toConnectError(error), undefined));
}
