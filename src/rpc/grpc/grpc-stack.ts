import type { EventEmitter } from "node:events";
import type { ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import type { Message } from "@bufbuild/protobuf";
import {
  type ConnectionInjector,
  type handleUnaryCall,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { DriverError } from "../../errors/driver-error.ts";
import { QueryService } from "../../gen/drover/v1/query_service_pb.js";
import { type Authenticate, named } from "../authenticate.ts";
import type { Dispatcher } from "../dispatcher.ts";
import type { BoundMethod } from "../service.ts";
import { bearerOf, createCallGuard, requestIdOf, responseMetadata, toGrpcStatus } from "./call-guard.ts";
import { runQuerySerializer, watchQuerySerializer } from "./frame-serializer.ts";
import { clientStreamHandler, type GrpcContext, streamHandler, unaryHandler } from "./handlers.ts";
import { keepAlive } from "./keep-alive.ts";
import { methodDefinition } from "./method-definitions.ts";
import { reflectionMethods } from "./reflection.ts";

export interface GrpcStackOptions {
  readonly dispatcher: Dispatcher;
  readonly authenticate: Authenticate;
  readonly instanceId: string;
  readonly maxRequestBytes: number;
  readonly maxStreams: number;
  /** Whether clients must show a certificate, whose name then is the principal. */
  readonly clientCertificates: boolean;
}

/** gRPC over the HTTP/2 connections that are handed to it. */
export class GrpcStack {
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #sessions: EventEmitter;

  constructor(options: GrpcStackOptions) {
    const { dispatcher, instanceId, maxRequestBytes } = options;
    this.#server = new Server({
      "grpc.max_receive_message_length": maxRequestBytes,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": options.maxStreams,
      // Channelz keeps a record of every call; our metrics say what we need.
      "grpc.enable_channelz": 0,
      interceptors: [
        createCallGuard({
          authenticate: options.authenticate,
          open: new Set(dispatcher.methods.filter(({ authenticated }) => !authenticated).map(({ path }) => path)),
          instanceId,
          maxRequestBytes,
          refused: (path, requestId, error) => dispatcher.refused(path, { requestId }, error),
        }),
      ],
    });
    const context: GrpcContext = { dispatcher, instanceId, bearerOf: callersBearer(options) };
    for (const bound of dispatcher.methods) {
      this.#add(methodDefinition(bound, serializerOf(bound)), handlerOf(bound, context));
    }
    for (const { definition, handler } of reflectionMethods(dispatcher.methods, instanceId))
      this.#add(definition, handler);
    answerUnknownMethods(this.#server, instanceId, dispatcher);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#sessions = sessionsOf(this.#server);
  }

  /** Takes over a connection whose TLS, if any, is done. */
  serve(connection: Duplex): void {
    const begin = (session: ServerHttp2Session) => keepAlive(session, connection);
    // Emitted while it is injected, if at all.
    this.#sessions.once("session", begin);
    this.#injector.injectConnection(connection);
    this.#sessions.off("session", begin);
  }

  /** Tells clients to go elsewhere; connections close once their calls have ended, after `graceMs` at the latest. */
  drain(graceMs: number): void {
    this.#injector.drain(graceMs);
  }

  close(): void {
    this.#injector.destroy();
    this.#server.forceShutdown();
  }

  #add(definition: MethodDefinition<Buffer, Message>, handler: UntypedHandleCall): void {
    this.#server.addService({ method: definition }, { method: handler });
  }
}

/** Undefined for the usual one. */
function serializerOf({ method }: BoundMethod): ((message: Message) => Buffer) | undefined {
  if (method === QueryService.method.runQuery) return runQuerySerializer();
  return method === QueryService.method.watchQuery ? watchQuerySerializer() : undefined;
}

function handlerOf(bound: BoundMethod, context: GrpcContext): UntypedHandleCall {
  switch (bound.kind) {
    case "unary":
      return unaryHandler(bound, context);
    case "stream":
      return streamHandler(bound, context);
    case "clientStream":
      return clientStreamHandler(bound, context);
  }
}

function callersBearer({ clientCertificates }: GrpcStackOptions): GrpcContext["bearerOf"] {
  if (!clientCertificates) return ({ metadata }) => bearerOf(metadata);
  return (call) => {
    const bearer = bearerOf(call.metadata);
    return bearer && named(bearer, call.getAuthContext().sslPeerCertificate?.subject?.CN);
  };
}

/**
 * grpc-js answers an unknown path itself: without a reason, and without our metadata, by which a client notices that it
 * reached another driver. There is no public hook for that; its lookup is replaced on this one server. The version of
 * grpc-js is pinned and a test calls an unknown method.
 */
function answerUnknownMethods(server: Server, instanceId: string, dispatcher: Dispatcher): void {
  const lookup: { _retrieveHandler(path: string): unknown } = server as never;
  const known = lookup._retrieveHandler.bind(server);
  const func: handleUnaryCall<Buffer, Message> = (call, callback) => {
    const error = new DriverError("UNKNOWN_METHOD", `the driver has no method ${call.getPath()}`, {
      metadata: { method: call.getPath() },
    });
    const requestId = requestIdOf(call.metadata);
    dispatcher.refused("unknown", { requestId }, error);
    callback(toGrpcStatus(error, responseMetadata(instanceId, requestId)));
  };
  lookup._retrieveHandler = (path) =>
    known(path) ?? {
      func,
      serialize: () => Buffer.alloc(0),
      deserialize: (bytes: Buffer) => bytes,
      type: "unary",
      path,
    };
}

/** What emits the HTTP/2 sessions of injected connections. There is no public way to them; a test cuts connections in half. */
function sessionsOf(server: Server): EventEmitter {
  const { http2Servers }: { readonly http2Servers: ReadonlyMap<EventEmitter, unknown> } = server as never;
  const [sessions] = http2Servers.keys();
  if (sessions === undefined) throw new Error("grpc-js has no HTTP/2 server for injected connections");
  return sessions;
}
