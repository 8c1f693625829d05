import { type ClientReason, clientReasons } from "../clients/node/src/errors.ts";
import { statusName } from "../clients/node/src/status-codes.ts";

/** When each happens. It stands here, since pages load the catalogue with the browser client and nobody reads it there. */
const when: Readonly<Record<ClientReason, string>> = {
  UNREACHABLE:
    "Nobody answers at the driver's address (or, in a browser, at the application's), or the connection broke before an answer.",
  DRIVER_NOT_FOUND:
    "No driver of the profile serves, and the call was told not to start one, or there was none in time.",
  INCOMPATIBLE_DRIVER: "The driver speaks another major version of the API.",
  DRIVER_NOT_PROVEN:
    "What listens at the address does not know the token, or is another driver than its address file says. It was not shown the token.",
  DRIVER_PROGRAM_NOT_FOUND: "A driver was to be started, and there is no program to start it with.",
  DRIVER_START_FAILED:
    "A driver was started and did not come to serve. The error's `start` has a reason, exit code or signal, the first exception, the last lines and the log's path.",
  DRIVER_CRASH_LOOP:
    "Starts failed again and again, and the wait before the next one is longer than the call may take.",
  DRIVER_UNRESPONSIVE:
    "The profile's driver takes connections and does not answer, and this client can't or may not end it.",
  STREAM_CUT: "The connection or the driver was lost in the middle of an answer.",
  INSTANCE_LOST:
    "The driver was lost during a call that must not be repeated, for nobody knows whether it took effect.",
  CANCELLED: "The caller's signal was aborted.",
  DEADLINE_EXCEEDED: "The call took longer than its `timeoutMs`.",
  CLIENT_CLOSED: "The client was closed before the call or during it.",
  INVALID_ARGUMENT: "An option or an argument can't be used; nothing was sent.",
  UNREADABLE_TOKEN: "The token file is not there, may not be read, or holds no token.",
  LOGIN_REQUIRED: "In a browser: the application does not know who calls.",
  NOT_ALLOWED: "In a browser: the application does not let this user do that.",
  ALREADY_CONSUMED: "The answer of a query was asked for a second time.",
  RESULT_OVER_LIMIT: "A result that is to be held whole is larger than the client's own limit.",
  UNSAFE_INTEGER: "An integer does not fit a number, and the query asked for numbers.",
  ARROW_MISSING: "A table was asked for, and the package `apache-arrow` is not installed.",
  UNEXPECTED_MESSAGE: "The driver's answer breaks the contract.",
};

/** The part of docs/errors.md about the reasons of the client. */
export function clientErrorsMarkdown(): string {
  const sections = Object.entries(clientReasons)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([reason, { code, help, retryable }]) => `### ${reason}

${when[reason as ClientReason]}

- What to do: ${help}
- gRPC code: \`${statusName(code)}\` (${code})
- The same call may succeed later: ${retryable ? "yes" : "no"}
`,
    );
  return `## Reasons of the client

\`@drover/client\`, its browser client and the command make these errors themselves, in the same form as those that the driver sends.
What neither has made (a proxy's answer, for one) has the name of its gRPC code as its reason.

${sections.join("\n")}`;
}
