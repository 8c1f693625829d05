import {
  create,
  type DescMethod,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type CallOptions,
  ChannelCredentials,
  Client,
  type ClientOptions,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.js";

export interface GrpcClientOptions {
  readonly token?: string;
  readonly credentials?: ChannelCredentials;
  readonly options?: ClientOptions;
}

/** What an error of the driver carries. */
export interface Explained {
  readonly code: number;
  readonly message: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly fields: readonly string[];
  /** The metadata of the reason. */
  readonly info: Readonly<Record<string, string>>;
  readonly metadata: Metadata;
}

/** A bare grpc-js client over the generated descriptors, to see everything that the driver sends. */
export class GrpcClient implements Disposable {
  readonly raw: Client;
  readonly #token: string | undefined;

  constructor(
    address: string,
    { token, credentials = ChannelCredentials.createInsecure(), options }: GrpcClientOptions,
  ) {
    this.raw = new Client(address, credentials, { "grpc.max_receive_message_length": -1, ...options });
    this.#token = token;
  }

  /** Calls a unary method; rejects with `ServiceError`. */
  unary<I extends MessageShapeOf, O extends MessageShapeOf>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    call: CallOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<{ readonly response: MessageShape<O>; readonly metadata: Metadata }> {
    return this.send(method, Buffer.from(toBinary(method.input, create(method.input, request))), call);
  }

  /** Sends bytes, whatever they are. */
  send<I extends MessageShapeOf, O extends MessageShapeOf>(
    method: DescMethodUnary<I, O>,
    bytes: Buffer,
    { headers = {}, ...options }: CallOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<{ readonly response: MessageShape<O>; readonly metadata: Metadata }> {
    return new Promise((resolve, reject) => {
      let metadata = new Metadata();
      const call = this.raw.makeUnaryRequest(
        pathOf(method),
        (value: Buffer) => value,
        (value: Buffer) => fromBinary(method.output, value),
        bytes,
        this.#metadata(headers),
        options,
        (error, response) => (error ? reject(error) : resolve({ response: response as MessageShape<O>, metadata })),
      );
      call.on("metadata", (received: Metadata) => {
        metadata = received;
      });
    });
  }

  /** Opens a server stream. */
  stream<I extends MessageShapeOf, O extends MessageShapeOf>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { headers = {}, ...options }: CallOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): ClientReadableStream<MessageShape<O>> {
    return this.raw.makeServerStreamRequest(
      pathOf(method),
      (value: Buffer) => value,
      (value: Buffer) => fromBinary(method.output, value),
      Buffer.from(toBinary(method.input, create(method.input, request))),
      this.#metadata(headers),
      options,
    );
  }

  /** Sends a client's stream. */
  sendAll<I extends MessageShapeOf, O extends MessageShapeOf>(
    method: DescMethodClientStreaming<I, O>,
    requests: readonly MessageInitShape<I>[],
    { headers = {}, ...options }: CallOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      const call = this.raw.makeClientStreamRequest(
        pathOf(method),
        (value: Buffer) => value,
        (value: Buffer) => fromBinary(method.output, value),
        this.#metadata(headers),
        options,
        (error, response) => (error ? reject(error) : resolve(response as MessageShape<O>)),
      );
      for (const request of requests) call.write(Buffer.from(toBinary(method.input, create(method.input, request))));
      call.end();
    });
  }

  #metadata(headers: Readonly<Record<string, string>>): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set("authorization", `Bearer ${this.#token}`);
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return metadata;
  }

  [Symbol.dispose](): void {
    this.raw.close();
  }
}

type MessageShapeOf = DescMethod["input"];

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Unpacks an error's details. */
export function explain(error: unknown): Explained {
  const { code, details, metadata } = error as ServiceError;
  const bytes = metadata?.get("grpc-status-details-bin")[0] as Buffer | undefined;
  const status = bytes && fromBinary(StatusSchema, bytes);
  const unpacked = status?.details ?? [];
  const info = unpacked.map((any) => anyUnpack(any, ErrorInfoSchema)).find((message) => message !== undefined);
  const bad = unpacked.map((any) => anyUnpack(any, BadRequestSchema)).find((message) => message !== undefined);
  return {
    code,
    message: details,
    reason: info?.reason,
    domain: info?.domain,
    fields: bad?.fieldViolations.map(({ field }) => field) ?? [],
    info: info?.metadata ?? {},
    metadata,
  };
}

/** Waits for a call to fail and unpacks why. */
export async function failure(call: Promise<unknown>): Promise<Explained> {
  try {
    await call;
  } catch (error) {
    return explain(error);
  }
  throw new Error("the call succeeded");
}
