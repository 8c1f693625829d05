import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, DurationSchema } from "@bufbuild/protobuf/wkt";
import type { DriverError } from "../errors/driver-error.ts";
import { reasons } from "../errors/reasons.ts";
import { BadRequestSchema, ErrorInfoSchema, HelpSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.js";

/** The domain of every ErrorInfo: with the reason it says what to do. */
export const ERROR_DOMAIN = "drover.dev";
const HELP_PAGE = "docs/errors.md";

/** Details travel in a header; some clients refuse headers of more than 8 KiB in all. */
const MAX_MESSAGE_CHARS = 1_500;
const MAX_VALUE_CHARS = 500;
const MAX_METADATA = 16;
const MAX_VIOLATIONS = 20;
const RETRY_DELAY_MS = 500;

/** A detail with its description, as Connect wants it. */
export interface Detail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

/** The error's text as it is sent: bounded and well-formed. */
export function statusMessage(error: DriverError): string {
  return cut(error.message, MAX_MESSAGE_CHARS);
}

/** google.rpc details: ErrorInfo always, then BadRequest, RetryInfo and Help where they say something. */
export function statusDetails(error: DriverError): readonly Detail[] {
  const details: Detail[] = [
    {
      desc: ErrorInfoSchema,
      value: create(ErrorInfoSchema, { reason: error.reason, domain: ERROR_DOMAIN, metadata: boundedMetadata(error) }),
    },
  ];
  if (error.violations.length > 0) {
    const fieldViolations = error.violations.slice(0, MAX_VIOLATIONS).map(({ field, description }) => ({
      field: cut(field, MAX_VALUE_CHARS),
      description: cut(description, MAX_VALUE_CHARS),
    }));
    details.push({ desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) });
  }
  if (error.retryable) {
    const retryDelay = create(DurationSchema, { nanos: RETRY_DELAY_MS * 1e6 });
    details.push({ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) });
  }
  const links = [{ description: reasons[error.reason].help, url: `${HELP_PAGE}#${error.reason.toLowerCase()}` }];
  details.push({ desc: HelpSchema, value: create(HelpSchema, { links }) });
  return details;
}

/** The error as google.rpc.Status. */
export function toStatus(error: DriverError): Status {
  return create(StatusSchema, {
    code: error.code,
    message: statusMessage(error),
    details: statusDetails(error).map(({ desc, value }) => anyPack(desc, create(desc, value))),
  });
}

/** What `grpc-status-details-bin` holds. */
export function statusBytes(error: DriverError): Buffer {
  return Buffer.from(toBinary(StatusSchema, toStatus(error)));
}

function boundedMetadata(error: DriverError): Record<string, string> {
  return Object.fromEntries(
    Object.entries(error.metadata)
      .slice(0, MAX_METADATA)
      .map(([key, value]) => [key, cut(value, MAX_VALUE_CHARS)]),
  );
}

/** Lone surrogates can't be encoded as UTF-8. */
function cut(text: string, length: number): string {
  return (text.length <= length ? text : `${text.slice(0, length - 1)}…`).toWellFormed();
}
