import type { IncomingMessage, ServerResponse } from "node:http";
import { createRegistry, type DescMethodServerStreaming, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
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
import { type BoundMethod, type BoundStream, type BoundUnary, requestLimit } from "../service.ts";
import { statusDetails, statusMessage } from "../status.ts";
import { type Body, bodyBytes, discardBody, emptyBody, readBody } from "./request-body.ts";
import { bodyFormat, checkTimeout, findMisfit, type Misfit } from "./request-format.ts";

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
  readonly principal: string;
  /** The other end of the connection. */
  readonly peer: string;
  /** Why the call is refused, if it is. */
  readonly refusal: DriverError | undefined;
}

export interface ConnectEndpoint {
  answer(request: IncomingMessage, response: ServerResponse, arrival: Arrival): Promise<void>;
}

export interface ConnectEndpointOptions {
  readonly dispatcher: Dispatcher;
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly maxRequestBytes: number;
}

const arrivalKey = createContextKey<Arrival | undefined>(undefined);

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
  const { body, refusal } = await receive(handler, request, arrival, maxRequestBytes);
  const values = createContextValues().set(arrivalKey, { ...arrival, refusal });
  // The body was not read to its end: the connection can't be used again.
  if (!request.complete) response.setHeader("connection", "close");
  const universal = universalRequestFromNodeRequest(request, response, undefined, values);
  const bytes = body && bodyBytes(body);
  if (bytes) {
    for (const name of ENCODING_HEADERS) universal.header.delete(name);
    universal.header.set("content-length", String(bytes.length));
  }
  // What can't be read there would keep Connect from getting as far as the refusal.
  if (refusal) for (const name of TIMEOUT_HEADERS) universal.header.delete(name);
  const answer = await handler({ ...universal, ...(bytes && { body: once(bytes) }) });
  await universalResponseToNodeResponse(answer, response).catch((error: unknown) => {
    // A client that left while it was answered; its call's signal has told the handler.
    if (!response.destroyed) throw error;
  });
}

/**
 * Reads and checks the message. What is refused goes on with an empty message in its place, so that Connect writes the
 * error in the protocol that the client speaks; the handler then throws it.
 */
async function receive(
  handler: UniversalHandler,
  request: IncomingMessage,
  { refusal }: Arrival,
  maxRequestBytes: number,
): Promise<{ readonly body?: Body; readonly refusal: DriverError | undefined }> {
  const format = bodyFormat(request.headers["content-type"]);
  if (request.method !== "POST" || format === undefined) return { refusal };
  if (refusal) {
    await discardBody(request);
    return { body: emptyBody(format), refusal };
  }
  try {
    const body = await readBody(request, format, maxRequestBytes);
    checkTimeout(request);
    // Connect's own answer to a message that can't be decoded would carry no reason.
    decodeMessage(handler.method.input, format.encoding, body.message, JSON_OPTIONS);
    return { body, refusal: undefined };
  } catch (error) {
    return { body: emptyBody(format), refusal: DriverError.from(error) };
  }
}

async function* once(body: Buffer): AsyncIterable<Uint8Array> {
  yield body;
}

function route(router: ConnectRouter, bound: BoundMethod, dispatcher: Dispatcher): void {
  if (bound.kind === "unary") {
    router.rpc(bound.method as DescMethodUnary, (request, context) => answerUnary(bound, request, context, dispatcher));
  } else {
    router.rpc(bound.method as DescMethodServerStreaming, (request, context) =>
      answerStream(bound, request, context, dispatcher),
    );
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

/** Throws the refusal of a call that is refused. */
function activeCall(bound: BoundMethod, context: HandlerContext, dispatcher: Dispatcher): ActiveCall {
  const arrival = context.values.get(arrivalKey);
  if (arrival === undefined) throw new Error("the call did not come through the HTTP stack");
  if (arrival.refusal) {
    dispatcher.refused(bound.path, arrival, arrival.refusal);
    throw arrival.refusal;
  }
  return new ActiveCall({
    requestId: arrival.requestId,
    principal: arrival.principal,
    endUserHeader: context.requestHeader.get(END_USER_HEADER) ?? undefined,
    peer: () => arrival.peer,
    deadline: () => {
      const left = context.timeoutMs();
      return left === undefined ? undefined : Date.now() + left;
    },
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
