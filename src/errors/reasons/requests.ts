import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of requests as such. */
export const requestsReasons = {
  INVALID_REQUEST: {
    code: Code.INVALID_ARGUMENT,
    when: "A field of the request breaks a rule of the contract.",
    help: "Mend the field that the message names.",
    retryable: false,
  },
  INVALID_PAGE_TOKEN: {
    code: Code.INVALID_ARGUMENT,
    when: "A page token was altered, or belongs to another request.",
    help: "Start again without a page token.",
    retryable: false,
  },
  REQUEST_TOO_LARGE: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A request is larger than the limit.",
    help: "Send less at once, or raise `limits.maxRequestBytes`.",
    retryable: false,
  },
  ORIGIN_FORBIDDEN: {
    code: Code.PERMISSION_DENIED,
    when: "A browser page of an origin that is not allowed called the driver.",
    help: "Add the origin to `http.origins`.",
    retryable: false,
  },
  NOT_SERVING: {
    code: Code.UNAVAILABLE,
    when: "The driver starts, drains or stops and takes no work.",
    help: "Try again; a driver that ends is replaced by the next one.",
    retryable: true,
  },
  UNKNOWN_METHOD: {
    code: Code.UNIMPLEMENTED,
    when: "The driver does not know the method.",
    help: "Compare the versions of client and driver.",
    retryable: false,
  },
  UNKNOWN_SERVICE: {
    code: Code.NOT_FOUND,
    when: "A health check names a service that the driver does not have.",
    help: "Leave the name out to ask for the driver as a whole.",
    retryable: false,
  },
  INTERNAL: {
    code: Code.INTERNAL,
    when: "Something went wrong that should not have; the driver's log has it under the request id.",
    help: "Report it with the request id.",
    retryable: false,
  },
  CANCELLED: {
    code: Code.CANCELLED,
    when: "Somebody cancelled the call or its operation.",
    help: "Ask again if the answer is still wanted.",
    retryable: false,
  },
  DEADLINE_EXCEEDED: {
    code: Code.DEADLINE_EXCEEDED,
    when: "The caller's deadline passed before the work was done; the work was stopped.",
    help: "Give more time or ask for less.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;
