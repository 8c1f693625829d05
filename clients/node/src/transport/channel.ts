import type { DescMethodClientStreaming, DescMethodServerStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import { type DescMessage, fromBinary, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  type Client,
  connectivityState,
  type CallOptions as GrpcCallOptions,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { scopeHeader } from "../access/scope.ts";
import { abortError, clientError, DroverError } from "../errors.ts";
import { callError, connectionEnded, headerText } from "./call-error.ts";
import { encode, sendAll } from "./client-stream.ts";
import { Farewells } from "./farewells.ts";
import { FixedRoute } from "./fixed-route.ts";
import { type CallOptions, defaultTimeoutMs, type Route, type Transport } from "./transport.ts";

/** Longer deadlines than some 11,000 years have no form on the wire; a year is as good as none. */
const longestTimeoutMs = 365 * 24 * 3_600_000;

const proofTimeoutMs = 10_000;

/** Calls over one connection to one driver. */
export class Channel implements Transport {
  readonly address: string;
  readonly #client: Client;
  readonly #token: string | undefined;
  /** Those under way: closing a channel of grpc-js leaves its calls running. */
  readonly #calls = new Set<{ cancel(): void }>();
  readonly #farewells = new Farewells();
  /** Whether the call that is being made belongs to a farewell: closing leaves it the time to arrive. */
  #parting = false;
  #closing: Promise<void> | undefined;
  #ended = false;
  #prove: ((options: CallOptions) => Promise<void>) | undefined;
  #instanceId = "";

  constructor(client: Client, address: string, token: string | undefined) {
    this.#client = client;
    this.address = address;
    this.#token = token;
  }

  /** The instance id that the latest response carried; a new one means that the driver has been restarted. */
  get instanceId(): string {
    return this.#instanceId;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.#unproved
      ? this.#proved(options).then(() => this.#unary(method, request, options))
      : this.#unary(method, request, options);
  }

  #unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    const { signal, timeoutMs = defaultTimeoutMs } = options;
    return new Promise((resolve, reject) => {
      this.#refuse(signal);
      const call = this.#client.makeUnaryRequest(
        path(method),
        asIs,
        (bytes) => fromBinary(method.output, bytes),
        encode(method.input, request),
        this.#metadata(options),
        deadline(timeoutMs),
        (error, response) => {
          signal?.removeEventListener("abort", abort);
          this.#calls.delete(call);
          if (response !== undefined && error === null) resolve(response);
          else reject(this.#failure(error, signal));
        },
      );
      if (!this.#parting) this.#calls.add(call);
      const abort = () => call.cancel();
      signal?.addEventListener("abort", abort, { once: true });
      call.on("metadata", (metadata) => this.#notice(metadata));
    });
  }

  /** Calls `onBytes` with the size of every message. Back-pressure: nothing is read from the wire beyond a few messages until the consumer asks for more. */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
    onBytes?: (bytes: number) => void,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    const { signal } = options;
    if (this.#unproved) await this.#proved(options);
    this.#refuse(signal);
    const call = this.#client.makeServerStreamRequest(
      path(method),
      asIs,
      (bytes) => ({ value: fromBinary(method.output, bytes), size: bytes.byteLength }),
      encode(method.input, request),
      this.#metadata(options),
      deadline(options.timeoutMs),
    );
    this.#calls.add(call);
    const abort = () => call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    // The status of a call that is left early arrives after the iterator's own listeners are gone.
    call.on("error", () => {});
    call.on("metadata", (metadata) => this.#notice(metadata));
    let begun = false;
    try {
      for await (const message of call) {
        begun = true;
        const { value, size } = message as { value: MessageShape<O>; size: number };
        onBytes?.(size);
        yield value;
      }
    } catch (error) {
      throw this.#failure(error, signal, begun);
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#calls.delete(call);
      call.cancel();
    }
  }

  async clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    const { signal } = options;
    if (this.#unproved) await this.#proved(options);
    this.#refuse(signal);
    const answer = Promise.withResolvers<MessageShape<O>>();
    const call = this.#client.makeClientStreamRequest(
      path(method),
      asIs,
      (bytes) => fromBinary(method.output, bytes),
      this.#metadata(options),
      deadline(options.timeoutMs),
      (error, response) => {
        if (response !== undefined && error === null) answer.resolve(response);
        else answer.reject(this.#failure(error, signal));
      },
    );
    this.#calls.add(call);
    const abort = () => call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    call.on("metadata", (metadata) => this.#notice(metadata));
    try {
      return await sendAll(call, method.input, requests, answer.promise);
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#calls.delete(call);
    }
  }

  /** Without a driver to go to after this one: the connection is made again, and what runs is watched again. */
  async route(options: CallOptions): Promise<Route> {
    return new FixedRoute(this, options, (work) => this.part(work));
  }

  /**
   * From now on it ends with the present connection: whatever listens at the address after that has not proved to be a
   * driver, and must not be shown the token.
   */
  endWithConnection(): void {
    this.#client.getChannel().watchConnectivityState(connectivityState.READY, Number.POSITIVE_INFINITY, () => {
      this.#ended = true;
      this.#client.close();
    });
  }

  /** From now on whoever is at the other end of a new connection proves to be a driver first. */
  proveAnew(prove: (options: CallOptions) => Promise<void>): void {
    this.#prove = prove;
  }

  /** Makes calls that nobody waits for, except closing, for a moment. */
  part(work: (channel: Transport) => Promise<unknown>): void {
    if (this.#closing !== undefined) return;
    this.#parting = true;
    try {
      this.#farewells.add(work(this));
    } finally {
      this.#parting = false;
    }
  }

  /** Ends the connection; calls under way are cancelled and fail with CLIENT_CLOSED. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const call of this.#calls) call.cancel();
    await this.#farewells.done();
    this.#client.close();
  }

  get #unproved(): boolean {
    if (this.#prove === undefined || this.#ended || this.#closing !== undefined) return false;
    return this.#client.getChannel().getConnectivityState(false) !== connectivityState.READY;
  }

  async #proved({ signal, timeoutMs = proofTimeoutMs }: CallOptions): Promise<void> {
    await this.#prove?.({ signal, timeoutMs: Math.min(timeoutMs, proofTimeoutMs) });
  }

  #refuse(signal: AbortSignal | undefined): void {
    if (this.#closing !== undefined) throw clientError("CLIENT_CLOSED", "the client is closed");
    if (signal?.aborted) throw abortError(signal.reason);
    if (this.#ended) throw connectionEnded(this.address);
  }

  /** `begun` says that a part of the answer has come. */
  #failure(error: unknown, signal: AbortSignal | undefined, begun = false): DroverError {
    if (error instanceof DroverError) return error;
    if (signal?.aborted) return abortError(signal.reason);
    if (this.#closing !== undefined)
      return clientError("CLIENT_CLOSED", "the client was closed during the call", { cause: error });
    if (isServiceError(error)) return callError(error, this.address, begun);
    return clientError("STREAM_CUT", "the call ended without an answer", { cause: error });
  }

  #metadata({ headers, endUser, scope }: CallOptions): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers ?? {})) setHeader(metadata, name, value);
    if (endUser !== undefined) setHeader(metadata, "drover-end-user", endUser);
    if (scope !== undefined) {
      if (endUser === undefined) throw clientError("INVALID_ARGUMENT", "scope: for whom it is, `endUser` must say");
      setHeader(metadata, "drover-scope", scopeHeader(scope));
    }
    if (this.#token !== undefined) metadata.set("authorization", `Bearer ${this.#token}`);
    return metadata;
  }

  #notice(metadata: Metadata): void {
    this.#instanceId = headerText(metadata, "drover-instance-id") || this.#instanceId;
  }
}

function path(method: DescMethodUnary | DescMethodServerStreaming | DescMethodClientStreaming): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function setHeader(metadata: Metadata, name: string, value: string): void {
  try {
    metadata.set(name, value);
  } catch (cause) {
    throw clientError("INVALID_ARGUMENT", `the header ${JSON.stringify(name)} has an impossible name or value`, {
      cause,
    });
  }
}

/** gRPC throws outside of the call, where nobody can catch it, for a deadline that is NaN or infinite. */
function deadline(timeoutMs: number | undefined): GrpcCallOptions {
  if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return {};
  if (Number.isNaN(timeoutMs)) throw clientError("INVALID_ARGUMENT", "timeoutMs: NaN is no time");
  return { deadline: Date.now() + Math.min(timeoutMs, longestTimeoutMs) };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}
