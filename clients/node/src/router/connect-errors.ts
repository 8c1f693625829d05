import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { type ClientReason, clientError, DroverError, isClientReason } from "../errors.ts";
import { BadRequestSchema, ErrorInfoSchema, HelpSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { status } from "../status-codes.ts";

const domain = "drover.dev";
const retryDelay = { seconds: 0n, nanos: 500_000_000 };

/** The client's own errors that speak of the call. The others speak of addresses, files and logs of this server. */
const shownReasons: ReadonlySet<ClientReason> = new Set([
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "INVALID_ARGUMENT",
  "LOGIN_REQUIRED",
  "NOT_ALLOWED",
]);

/** Whether a browser is told no more of it than its reason. */
export function isHidden(error: unknown): boolean {
  if (!(error instanceof DroverError)) return true;
  // The driver refuses this server's token: nothing that the browser's user could have got wrong.
  if (error.code === status.UNAUTHENTICATED && error.reason !== "LOGIN_REQUIRED") return true;
  return isClientReason(error.reason) && !shownReasons.has(error.reason);
}

/** An error as a browser gets it: with reason, help, fields at fault and metadata as `google.rpc` details. */
export function toConnectError(error: unknown): ConnectError {
  const shown = error instanceof DroverError && !isHidden(error) ? error : withoutInside(error);
  const metadata = shown.requestId === "" ? undefined : { "drover-request-id": shown.requestId };
  return new ConnectError(shown.message, shown.code, metadata, detailsOf(shown));
}

function withoutInside(error: unknown): DroverError {
  if (!(error instanceof DroverError)) return clientError("UNEXPECTED_MESSAGE", "the application failed");
  const { reason, retryable, requestId } = error;
  const code = error.code === status.UNAUTHENTICATED ? status.INTERNAL : error.code;
  const help = retryable ? "Try again in a moment." : "Tell those who run this application.";
  return new DroverError({ reason, message: "the data service can't answer now", code, retryable, help, requestId });
}

function detailsOf({ reason, metadata, violations, retryable, help }: DroverError) {
  return [
    { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain, metadata: { ...metadata } }) },
    ...(violations.length === 0
      ? []
      : [{ desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations: [...violations] }) }]),
    ...(retryable ? [{ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) }] : []),
    ...(help === "" ? [] : [{ desc: HelpSchema, value: create(HelpSchema, { links: [{ description: help }] }) }]),
  ];
}
