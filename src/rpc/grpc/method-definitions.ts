import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";
import type { BoundMethod } from "../service.ts";

const MAX_REMEMBERED_BYTES = 4_096;

/** A grpc-js definition whose requests stay bytes: what can't be decoded is then answered by us, with its reason. */
export type RawDefinition = MethodDefinition<Buffer, Message>;

export function methodDefinition(bound: BoundMethod, serialize = defaultSerializer(bound)): RawDefinition {
  return {
    path: bound.path,
    requestStream: bound.kind === "clientStream",
    responseStream: bound.kind === "stream",
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: serialize,
    responseDeserialize: (bytes) => fromBinary(bound.method.output, bytes),
  };
}

function defaultSerializer({ kind, method }: BoundMethod): (message: Message) => Buffer {
  return kind === "unary" ? remembering(serializer(method.output)) : serializer(method.output);
}

/** Bytes as a Buffer over the same memory: grpc-js wants `copy`. */
export function serializer(schema: DescMessage): (message: Message) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

/** Keeps the last bytes: GetDriver answers many calls with one message. */
function remembering(serialize: (message: Message) => Buffer): (message: Message) => Buffer {
  let last: { readonly message: WeakRef<Message>; readonly bytes: Buffer } | undefined;
  return (message) => {
    if (last?.message.deref() === message) return last.bytes;
    const bytes = serialize(message);
    last = bytes.length > MAX_REMEMBERED_BYTES ? undefined : { message: new WeakRef(message), bytes };
    return bytes;
  };
}
