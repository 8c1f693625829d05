import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { DriverService } from "../src/gen/drover/v1/driver_service_pb.js";

type Call = ServerUnaryCall<unknown, unknown>;
type Stream<O> = Pick<
  ServerWritableStream<unknown, O>,
  "write" | "end" | "once" | "on" | "emit" | "cancelled" | "metadata"
>;

/** A peer that breaks the contract on purpose, in ways in which no driver can be made to. */
export class FaultPeer implements AsyncDisposable {
  readonly #server = new Server();
  readonly #methods: Record<string, { definition: object; handle: unknown }> = {};
  address = "";

  /** Answers GetDriver, so that clients connect. */
  constructor(apiVersion = "drover.v1") {
    this.unary(DriverService.method.getDriver, () => ({ apiVersion, version: "0.0.0" }));
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    answer: (request: MessageShape<I>, call: Call) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
  ): this {
    return this.#add(method, async (call: Call, reply: sendUnaryData<unknown>) => {
      try {
        reply(null, await answer(call.request as MessageShape<I>, call));
      } catch (error) {
        reply(error as Error);
      }
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    answer: (stream: Stream<MessageInitShape<O>>, request: MessageShape<I>) => void,
  ): this {
    return this.#add(method, (call: ServerWritableStream<MessageShape<I>, MessageInitShape<O>>) =>
      answer(call, call.request),
    );
  }

  /** Takes a stream of messages; `answer` may throw before its end. */
  clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    answer: (requests: AsyncIterable<MessageShape<I>>) => Promise<MessageInitShape<O>>,
  ): this {
    return this.#add(method, (call: ServerReadableStream<unknown, unknown>, reply: sendUnaryData<unknown>) => {
      answer(call.iterator({ destroyOnReturn: false }) as AsyncIterable<MessageShape<I>>).then(
        (value) => reply(null, value),
        (error: Error) => reply(error),
      );
    });
  }

  async listen(address = "127.0.0.1:0"): Promise<this> {
    const services = Map.groupBy(Object.entries(this.#methods), ([path]) => path.split("/")[1]);
    for (const entries of services.values()) {
      const definition = Object.fromEntries(entries.map(([path, { definition }]) => [path, definition]));
      const handlers = Object.fromEntries(entries.map(([path, { handle }]) => [path, handle]));
      this.#server.addService(definition as ServiceDefinition, handlers as UntypedServiceImplementation);
    }
    const port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    this.address = `127.0.0.1:${port}`;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  #add(method: DescMethod, handle: unknown): this {
    const path = `/${method.parent.typeName}/${method.name}`;
    const definition = {
      path,
      requestStream: method.methodKind === "client_streaming",
      responseStream: method.methodKind === "server_streaming",
      requestSerialize: (value: never) => Buffer.from(value),
      requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
      responseSerialize: (value: never) => Buffer.from(toBinary(method.output, create(method.output, value))),
      responseDeserialize: (bytes: Buffer) => bytes,
    };
    this.#methods[path] = { definition, handle };
    return this;
  }
}
