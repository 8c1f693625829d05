import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of who may do what. */
export const accessReasons = {
  UNAUTHENTICATED: {
    code: Code.UNAUTHENTICATED,
    when: "The call carries no token, a wrong one, or no client certificate that the driver trusts.",
    help: "Give the token from the file that the address file names.",
    retryable: false,
  },
  TOKEN_EXPIRED: {
    code: Code.UNAUTHENTICATED,
    when: "The token's time is over, or it was rotated and the grace time of its text before is over.",
    help: "Have an administrator rotate it, and use the new text: `drover tokens rotate`.",
    retryable: false,
  },
  TOKEN_REVOKED: {
    code: Code.UNAUTHENTICATED,
    when: "An administrator has revoked the token; calls that were under way are ended, too.",
    help: "Have an administrator make another one: `drover tokens create`.",
    retryable: false,
  },
  TOKEN_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "A token of this name is there already, or the name is one of the driver's own.",
    help: "Take another name, or give the token a new text: `drover tokens rotate`.",
    retryable: false,
  },
  TOKEN_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "No token has this name, or it was revoked.",
    help: "List them: `drover tokens list`.",
    retryable: false,
  },
  ACCESS_DENIED: {
    code: Code.PERMISSION_DENIED,
    when: "The token's role or scope does not allow the call.",
    help: "Use a token with the role that the message names, or have an administrator make one: `drover tokens create`.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;
