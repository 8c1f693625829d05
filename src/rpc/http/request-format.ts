import type { IncomingMessage } from "node:http";
import type { DescMethod, JsonReadOptions } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { DriverError } from "../../errors/driver-error.ts";
import { decodeMessage, type Encoding } from "../decode-message.ts";

const CONTENT_TYPE = /^application\/(connect\+|grpc-web\+?)?(json|proto)?(?:; ?charset=utf-?8)?$/i;
const TIMEOUTS = [
  ["connect-timeout-ms", /^\d{1,10}$/],
  ["grpc-timeout", /^\d{1,8}[HMSmun]$/],
] as const;

/** How a request's message is written. */
export interface BodyFormat {
  readonly encoding: Encoding;
  /** Whether a flag and a length stand before the message, as in streams and gRPC-Web. */
  readonly enveloped: boolean;
  /** The header that says how the message is compressed. */
  readonly encodingHeader: "content-encoding" | "connect-content-encoding" | "grpc-encoding";
}

/** A request that no protocol would send, with the HTTP status that says so. */
export interface Misfit {
  readonly status: number;
  readonly error: DriverError;
}

/** Tells the format from the content type; undefined for one that no protocol has. */
export function bodyFormat(contentType: string | undefined): BodyFormat | undefined {
  const match = CONTENT_TYPE.exec(contentType ?? "");
  if (match === null || (match[1] === undefined && match[2] === undefined)) return undefined;
  const encoding = match[2]?.toLowerCase() === "json" ? "json" : "proto";
  switch (match[1]?.toLowerCase()) {
    case undefined:
      return { encoding, enveloped: false, encodingHeader: "content-encoding" };
    case "connect+":
      return { encoding, enveloped: true, encodingHeader: "connect-content-encoding" };
    default:
      return { encoding, enveloped: true, encodingHeader: "grpc-encoding" };
  }
}

/** Says why a request can't be for the method in any protocol, if so: Connect's own answers to that carry no reason. */
export function findMisfit(
  request: IncomingMessage,
  method: DescMethod,
  options: Partial<JsonReadOptions>,
): Misfit | undefined {
  if (request.method === "GET" && takesGet(method)) return findQueryMisfit(request, method, options);
  if (request.method !== "POST") {
    return { status: 405, error: invalid(`${method.name} is called by POST, not by ${request.method}`) };
  }
  const given = request.headers["content-type"];
  const format = bodyFormat(given);
  const stream = method.methodKind !== "unary";
  const fits = format && (format.encodingHeader === "grpc-encoding" || format.enveloped === stream);
  if (fits) return undefined;
  const wanted = stream
    ? "application/connect+json (it is a stream of messages, each in an envelope)"
    : "application/json";
  return { status: 415, error: invalid(`${method.name} takes the content type ${wanted}, not ${given ?? "none"}`) };
}

/** A GET carries its message in the URL. */
function findQueryMisfit(
  { url = "" }: IncomingMessage,
  { input }: DescMethod,
  options: Partial<JsonReadOptions>,
): Misfit | undefined {
  const query = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  const encoding = query.get("encoding");
  const message = query.get("message");
  if ((encoding !== "json" && encoding !== "proto") || message === null) {
    return {
      status: 415,
      error: invalid("a GET needs `encoding`, json or proto, and `message` in its query; or use POST"),
    };
  }
  if ((query.get("compression") ?? "identity") !== "identity") {
    return { status: 415, error: invalid("the message of a GET can't be compressed; use POST") };
  }
  try {
    decodeMessage(input, encoding, Buffer.from(message, query.get("base64") === "1" ? "base64url" : "utf8"), options);
    return undefined;
  } catch (error) {
    return { status: 400, error: DriverError.from(error) };
  }
}

/** Throws INVALID_REQUEST for a deadline that can't be read. */
export function checkTimeout({ headers }: IncomingMessage): void {
  for (const [name, form] of TIMEOUTS) {
    const value = headers[name];
    if (value !== undefined && !form.test(String(value))) throw invalid(`the header ${name} is no time: ${value}`);
  }
}

function takesGet(method: DescMethod): boolean {
  return method.methodKind === "unary" && method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

function invalid(message: string): DriverError {
  return new DriverError("INVALID_REQUEST", message);
}
