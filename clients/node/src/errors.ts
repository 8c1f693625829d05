import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import type { StartFailure } from "./ensure/options.ts";
import { BadRequestSchema, ErrorInfoSchema, HelpSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { Status } from "./gen/google/rpc/status_pb.js";
import { status, statusName } from "./status-codes.ts";

/** A field of a request that breaks a rule. */
export interface FieldViolation {
  /** The path from the request's root, for example `question.aggregate.measures[0].column`. */
  readonly field: string;
  /** What is wrong with it. */
  readonly description: string;
}

/** What a DroverError is made of. */
export interface DroverErrorInit {
  readonly reason: string;
  readonly message: string;
  /** The gRPC status code. */
  readonly code: number;
  readonly retryable?: boolean;
  readonly help?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  readonly requestId?: string;
  readonly start?: StartFailure;
  readonly cause?: unknown;
}

/** What can go wrong on this side of the wire; docs/errors.md has these beside the driver's own reasons. */
export const clientReasons = {
  UNREACHABLE: {
    code: status.UNAVAILABLE,
    retryable: true,
    help: "Check that the driver runs and that the address is right.",
  },
  DRIVER_NOT_FOUND: {
    code: status.UNAVAILABLE,
    retryable: true,
    help: "Start one with `drover start`, or let `ensureDriver` do it.",
  },
  INCOMPATIBLE_DRIVER: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    help: "Use a client and a driver of the same API version.",
  },
  DRIVER_NOT_PROVEN: {
    code: status.UNAVAILABLE,
    retryable: false,
    help: "Find out what listens there. If the driver's token was changed, start the driver again.",
  },
  DRIVER_PROGRAM_NOT_FOUND: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    help: "Install the package @drover/driver, or name the driver's program by the option `program` or DROVER_DRIVER.",
  },
  DRIVER_START_FAILED: {
    code: status.UNAVAILABLE,
    retryable: true,
    help: "The error's `start` and the log say why; mend that, then try again.",
  },
  DRIVER_CRASH_LOOP: {
    code: status.UNAVAILABLE,
    retryable: true,
    help: "Mend what the log says, or give the call more time than the wait takes.",
  },
  DRIVER_UNRESPONSIVE: {
    code: status.UNAVAILABLE,
    retryable: true,
    help: "Its user, or an administrator on its host, can end it; the next call then starts another one.",
  },
  STREAM_CUT: {
    code: status.UNAVAILABLE,
    retryable: true,
    help: "The connection or the driver went away in the middle of an answer; ask again.",
  },
  INSTANCE_LOST: {
    code: status.UNAVAILABLE,
    retryable: false,
    help: "Look whether the call took effect before you repeat it.",
  },
  CANCELLED: { code: status.CANCELLED, retryable: false, help: "Ask again if the answer is still wanted." },
  DEADLINE_EXCEEDED: {
    code: status.DEADLINE_EXCEEDED,
    retryable: false,
    help: "Give more time or ask for less.",
  },
  CLIENT_CLOSED: { code: status.FAILED_PRECONDITION, retryable: false, help: "Connect again." },
  INVALID_ARGUMENT: {
    code: status.INVALID_ARGUMENT,
    retryable: false,
    help: "Mend the argument that the message names.",
  },
  UNREADABLE_TOKEN: {
    code: status.UNAUTHENTICATED,
    retryable: false,
    help: "Give a token file that this user may read.",
  },
  LOGIN_REQUIRED: { code: status.UNAUTHENTICATED, retryable: false, help: "Log in, then ask again." },
  NOT_ALLOWED: {
    code: status.PERMISSION_DENIED,
    retryable: false,
    help: "Ask those who run this application for the permission.",
  },
  ALREADY_CONSUMED: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    help: "A query runs once; make a new one to run it again.",
  },
  RESULT_OVER_LIMIT: {
    code: status.RESOURCE_EXHAUSTED,
    retryable: false,
    help: "Take the result batch by batch with `stream()` or `arrow()`, or raise the limit: `maxResultBytes`, and for a single message `maxMessageBytes`.",
  },
  UNSAFE_INTEGER: {
    code: status.OUT_OF_RANGE,
    retryable: false,
    help: 'Take integers as "bigint" or "string".',
  },
  ARROW_MISSING: {
    code: status.FAILED_PRECONDITION,
    retryable: false,
    help: "Install the package `apache-arrow` beside @drover/client, or use rows().",
  },
  UNEXPECTED_MESSAGE: {
    code: status.INTERNAL,
    retryable: false,
    help: "Compare the versions of client and driver.",
  },
} as const satisfies Record<string, { code: number; retryable: boolean; help: string }>;

/** A reason for which this client itself makes an error. */
export type ClientReason = keyof typeof clientReasons;

/** Whether errors of this reason come from this client (also where a driver uses it too). */
export function isClientReason(reason: string): reason is ClientReason {
  return Object.hasOwn(clientReasons, reason);
}

/**
 * The one error of this client. `reason` is stable and meant for code, the message for people; `help` says what to do
 * about it and `retryable` whether the same call may succeed later without any change.
 */
export class DroverError extends Error {
  override readonly name = "DroverError";
  readonly reason: string;
  /** The gRPC status code (https://grpc.io/docs/guides/status-codes/). */
  readonly code: number;
  readonly retryable: boolean;
  /** What to do about it; empty where nothing is known. */
  readonly help: string;
  /** The values that the message was made of. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of the request at fault. */
  readonly violations: readonly FieldViolation[];
  /** Under which the driver's log has the call; empty where it made none. */
  readonly requestId: string;
  /** For DRIVER_START_FAILED: all that is known of the failed start. */
  readonly start: StartFailure | undefined;

  constructor(init: DroverErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.reason = init.reason;
    this.code = init.code;
    this.retryable = init.retryable ?? false;
    this.help = init.help ?? "";
    this.metadata = init.metadata ?? {};
    this.violations = init.violations ?? [];
    this.requestId = init.requestId ?? "";
    this.start = init.start;
  }
}

/** Makes an error for something that went wrong on this side of the wire. */
export function clientError(
  reason: ClientReason,
  message: string,
  options: Pick<DroverErrorInit, "cause" | "metadata" | "start"> = {},
): DroverError {
  return new DroverError({ reason, message, ...clientReasons[reason], ...options });
}

/** The error for a signal that was aborted: a timeout's is DEADLINE_EXCEEDED, any other CANCELLED. */
export function abortError(reason: unknown): DroverError {
  if (reason instanceof DroverError) return reason;
  const timedOut = reason instanceof Error && reason.name === "TimeoutError";
  return timedOut
    ? clientError("DEADLINE_EXCEEDED", "the deadline passed", { cause: reason })
    : clientError("CANCELLED", "the call was cancelled", { cause: reason });
}

/** Decodes the error of an operation or of a call: `google.rpc.Status` with ErrorInfo, BadRequest, Help and RetryInfo. */
export function statusError(value: Status, cause?: unknown, requestId = ""): DroverError {
  const info = detail(value.details, ErrorInfoSchema);
  return new DroverError({
    reason: info?.reason ?? statusName(value.code),
    message: value.message,
    code: value.code,
    retryable: detail(value.details, RetryInfoSchema) !== undefined,
    help: detail(value.details, HelpSchema)?.links[0]?.description ?? "",
    metadata: info?.metadata ?? {},
    violations: (detail(value.details, BadRequestSchema)?.fieldViolations ?? []).map(({ field, description }) => ({
      field,
      description,
    })),
    requestId,
    cause,
  });
}

type DetailSchema = typeof ErrorInfoSchema | typeof BadRequestSchema | typeof HelpSchema | typeof RetryInfoSchema;

function detail<S extends DetailSchema>(details: readonly Any[], schema: S) {
  for (const any of details) {
    const message = anyUnpack<S>(any, schema);
    if (message !== undefined) return message;
  }
  return undefined;
}
