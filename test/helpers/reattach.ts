import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { QueryService, type ResultFormat, type RunQueryResponse } from "../../src/gen/drover/v1/query_service_pb.js";
import type { TestDriver } from "./driver.ts";
import { GrpcClient } from "./grpc-client.ts";

export interface Asked {
  readonly sql: string;
  readonly operationId: string;
  readonly format?: ResultFormat;
  readonly reattachable?: boolean;
}

/** The two calls of a reattachable query, over one protocol. */
export interface QueryCalls extends Disposable {
  run(asked: Asked, options?: { signal?: AbortSignal; timeoutMs?: number }): AsyncIterable<RunQueryResponse>;
  watch(operationId: string, after?: number, options?: { signal?: AbortSignal }): AsyncIterable<RunQueryResponse>;
}

export const PROTOCOLS = ["gRPC", "grpcWeb", "json"] as const;
export type ProtocolName = (typeof PROTOCOLS)[number];

export function queryCalls(protocol: ProtocolName, driver: Pick<TestDriver, "address" | "token">): QueryCalls {
  return protocol === "gRPC" ? overGrpc(driver) : overConnect(transport(protocol, driver));
}

function overGrpc({ address, token }: Pick<TestDriver, "address" | "token">): QueryCalls {
  const client = new GrpcClient(address, { token });
  async function* cancellable<T>(
    call: AsyncIterable<T> & { cancel(): void; on(event: "error", listener: () => void): unknown },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<T> {
    signal?.addEventListener("abort", () => call.cancel());
    call.on("error", () => {});
    try {
      yield* call;
    } finally {
      call.cancel();
    }
  }
  return {
    run: (asked, { signal, timeoutMs } = {}) => {
      const deadline = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
      return cancellable(client.stream(QueryService.method.runQuery, request(asked), deadline), signal);
    },
    async *watch(operationId, after = 0, { signal } = {}) {
      const watched = { operationId, afterEventId: BigInt(after) };
      yield* unwrapped(cancellable(client.stream(QueryService.method.watchQuery, watched), signal));
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

function overConnect(over: Transport): QueryCalls {
  const client = createClient(QueryService, over);
  return {
    run: (asked, options = {}) => client.runQuery(request(asked), options),
    watch: (operationId, after = 0, options = {}) =>
      unwrapped(client.watchQuery({ operationId, afterEventId: BigInt(after) }, options)),
    [Symbol.dispose]: () => {},
  };
}

function transport(protocol: "grpcWeb" | "json", { address, token }: Pick<TestDriver, "address" | "token">): Transport {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const options = { httpVersion: "1.1" as const, baseUrl: `http://${address}`, interceptors: [authorize] };
  return protocol === "json"
    ? createConnectTransport({ ...options, useBinaryFormat: false })
    : createGrpcWebTransport(options);
}

function request({ sql, reattachable = true, ...rest }: Asked) {
  return { ...rest, reattachable, question: { kind: { case: "sql" as const, value: { sql } } } };
}

async function* unwrapped(
  stream: AsyncIterable<{ readonly event?: RunQueryResponse | undefined }>,
): AsyncGenerator<RunQueryResponse> {
  for await (const { event } of stream) if (event !== undefined) yield event;
}
