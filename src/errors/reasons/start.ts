import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of the driver's start. */
export const startReasons = {
  USAGE: {
    code: Code.INVALID_ARGUMENT,
    when: "A command line has an unknown command or flag, or a flag without its value.",
    help: "See docs/configuration.md for the flags.",
    retryable: false,
  },
  CONFIG_INVALID: {
    code: Code.INVALID_ARGUMENT,
    when: "A setting is unknown, has a value that it can't take, or contradicts another.",
    help: "Mend it where the message says; `drover config show --origins` shows what counts and why.",
    retryable: false,
  },
  TLS_INVALID: {
    code: Code.FAILED_PRECONDITION,
    when: "A certificate or key can't be read, or they do not belong together.",
    help: "Check the files that `tls` names.",
    retryable: false,
  },
  LISTEN_REFUSED: {
    code: Code.FAILED_PRECONDITION,
    when: "The driver was told to listen without TLS on an address other than loopback.",
    help: "Set `tls.certFile` and `tls.keyFile`, or `allowPlainRemote` on a network that you trust.",
    retryable: false,
  },
  LISTEN_FAILED: {
    code: Code.UNAVAILABLE,
    when: "The address is in use or not this machine's.",
    help: "Choose another `listen`; port 0 takes a free one.",
    retryable: true,
  },
  ALREADY_RUNNING: {
    code: Code.ALREADY_EXISTS,
    when: "A live driver of this profile runs on the data directory.",
    help: "Use that driver, stop it first, or start another profile.",
    retryable: false,
  },
  DATA_DIRECTORY_UNUSABLE: {
    code: Code.FAILED_PRECONDITION,
    when: "The data directory, or the token file in it, can't be made, read or written, or others may write it.",
    help: "Check owner, mode and free space of the path in the message.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;
