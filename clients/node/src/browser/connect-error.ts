import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { clientError, DroverError, statusError } from "../errors.ts";
import { StatusSchema } from "../gen/google/rpc/status_pb.js";
import { status, statusName } from "../status-codes.ts";

/** Decodes what a call failed with; `begun` says that a part of its answer had come. */
export function fromConnectError(error: unknown, begun: boolean): DroverError {
  if (error instanceof DroverError) return error;
  const failure = ConnectError.from(error);
  const code = Number(failure.code);
  const details = failure.details.flatMap((detail) =>
    "type" in detail ? [{ typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }] : [],
  );
  const requestId = failure.metadata.get("drover-request-id") ?? "";
  if (details.length > 0)
    return statusError(create(StatusSchema, { code, message: failure.rawMessage, details }), error, requestId);
  return withoutDetails(code, failure, begun);
}

/** What no route of an app server has answered: its login, a proxy, or nobody. */
function withoutDetails(code: number, cause: ConnectError, begun: boolean): DroverError {
  switch (code) {
    case status.UNAUTHENTICATED:
      return clientError("LOGIN_REQUIRED", "you are not logged in", { cause });
    case status.DEADLINE_EXCEEDED:
      return clientError("DEADLINE_EXCEEDED", "the deadline passed", { cause });
    case status.CANCELLED:
      return clientError("CANCELLED", "the call was cancelled", { cause });
    // Connect has no code for a request that fetch could not make, nor for a body that was cut off.
    case status.UNAVAILABLE:
    case status.UNKNOWN:
    case status.INTERNAL:
      return begun
        ? clientError("STREAM_CUT", "the connection was lost in the middle of an answer", { cause })
        : clientError("UNREACHABLE", `the application server does not answer: ${cause.rawMessage}`, { cause });
    default:
      return new DroverError({ reason: statusName(code), message: cause.rawMessage, code, cause });
  }
}
