import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonReadOptions,
  type MessageShape,
} from "@bufbuild/protobuf";
import { DriverError } from "../errors/driver-error.ts";
import { findJsonFault } from "./json-fault.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** How a message's bytes are to be read. */
export type Encoding = "json" | "proto";

/** Decodes a request's message. Throws INVALID_REQUEST, of JSON with the path of the field at fault. */
export function decodeMessage<S extends DescMessage>(
  schema: S,
  encoding: Encoding,
  bytes: Uint8Array,
  options: Partial<JsonReadOptions> = {},
): MessageShape<S> {
  if (encoding === "proto") return decodeBinary(schema, bytes);
  const text = decodeText(schema, bytes);
  try {
    return fromJsonString(schema, text, options);
  } catch (error) {
    const tooDeep = (error as Error).message.includes("recursion depth");
    const fault = tooDeep ? undefined : findJsonFault(schema, text, options);
    if (fault === undefined) throw undecodable(schema, holdsSecrets(schema) ? undefined : error);
    const { field, description } = fault;
    throw new DriverError("INVALID_REQUEST", `${field}: ${description}`, {
      metadata: { type: schema.typeName, field },
      violations: [fault],
      cause: error,
    });
  }
}

function decodeBinary<S extends DescMessage>(schema: S, bytes: Uint8Array): MessageShape<S> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw undecodable(schema, error);
  }
}

function decodeText(schema: DescMessage, bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw undecodable(schema, error);
  }
}

/** `error` says why; undefined where its words may hold what nobody must see. */
function undecodable(schema: DescMessage, error: unknown): DriverError {
  const why = error === undefined ? "" : `: ${(error as Error).message}`;
  return new DriverError("INVALID_REQUEST", `the request is no ${schema.typeName}${why}`, {
    metadata: { type: schema.typeName },
    cause: error,
  });
}

function holdsSecrets(schema: DescMessage): boolean {
  return schema.fields.some(({ proto }) => proto.options?.debugRedact === true);
}
