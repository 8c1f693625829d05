import { fromBinary } from "@bufbuild/protobuf";
import type { Metadata, ServiceError } from "@grpc/grpc-js";
import { clientError, DroverError, statusError } from "../errors.ts";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.js";
import { status, statusName } from "../status-codes.ts";

/** Decodes what a call to an address failed with; `begun` says that a part of its answer had come. */
export function callError(error: ServiceError, address: string, begun: boolean): DroverError {
  const rich = richStatus(error.metadata);
  const requestId = headerText(error.metadata, "drover-request-id");
  if (rich !== undefined && rich.details.length > 0) return statusError(rich, error, requestId);
  const message = error.details === "" ? error.message : error.details;
  if (wasReset(error)) return lost(plainReason(message), error, address, begun);
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return clientError("DEADLINE_EXCEEDED", "the deadline passed", { cause: error });
    case status.RESOURCE_EXHAUSTED:
      if (!message.startsWith("Received message larger than max")) return plain(error, message, requestId);
      return clientError(
        "RESULT_OVER_LIMIT",
        `a message of the driver is larger than \`maxMessageBytes\`: ${message}`,
        { cause: error },
      );
    case status.UNAVAILABLE:
      return lost(plainReason(message), error, address, begun);
    default:
      return plain(error, message, requestId);
  }
}

/** What says no more than its code. */
function plain(error: ServiceError, message: string, requestId: string): DroverError {
  return new DroverError({ reason: statusName(error.code), message, code: error.code, requestId, cause: error });
}

/**
 * Whether the peer reset the stream without a word. What a caller cancels is told apart before, and what the driver cancels
 * carries details.
 */
function wasReset({ code, details }: ServiceError): boolean {
  return code === status.CANCELLED || (code === status.INTERNAL && details.startsWith("Received RST_STREAM"));
}

const unsent = new WeakSet<DroverError>();

/** For a call that is not sent, since its connection has ended and is not made again. */
export function connectionEnded(address: string): DroverError {
  const error = clientError("UNREACHABLE", `the connection to ${address} has ended`, { metadata: { address } });
  unsent.add(error);
  return error;
}

/** Whether the call that failed with this was certainly not processed: nothing was sent, or the driver refused it. */
export function isUnprocessed(error: unknown): boolean {
  if (!(error instanceof DroverError)) return false;
  if (error.reason === "NOT_SERVING" || unsent.has(error)) return true;
  const { cause } = error;
  if (error.reason !== "UNREACHABLE" || !(cause instanceof Error) || !("details" in cause)) return false;
  return typeof cause.details === "string" && cause.details.startsWith("No connection established");
}

function lost(why: string, cause: ServiceError, address: string, begun: boolean): DroverError {
  const options = { cause, metadata: { address } };
  return begun
    ? clientError("STREAM_CUT", `the connection to ${address} was lost in the middle of an answer: ${why}`, options)
    : clientError("UNREACHABLE", `no driver answers at ${address}: ${why}`, options);
}

/** What gRPC says of a connection that failed, without its own words around it. */
function plainReason(message: string): string {
  return message
    .replace(/^No connection established\. Last error: (?:Error: )?/, "")
    .replace(/\. Resolution note:\s*$/, "")
    .replace(/ \([-\d]+T[:.\d]+Z\)$/, "");
}

/** The first value of a header that is text; empty without one. */
export function headerText(metadata: Metadata | undefined, name: string): string {
  const value = metadata?.get(name)[0];
  return typeof value === "string" ? value : "";
}

function richStatus(metadata: Metadata | undefined): Status | undefined {
  const bytes = metadata?.get("grpc-status-details-bin")[0];
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    return undefined;
  }
}
