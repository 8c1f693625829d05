import { Code } from "./code.ts";
import { type ReasonEntry, reasons } from "./reasons.ts";

/** The driver's part of docs/errors.md, from the catalogue. */
export function errorsMarkdown(): string {
  const codeNames = new Map<number, string>(Object.entries(Code).map(([name, code]) => [code, name]));
  const sections = Object.entries<ReasonEntry>(reasons)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([reason, { code, when, help, retryable }]) => `## ${reason}

${when}

- What to do: ${help}
- gRPC code: \`${codeNames.get(code)}\` (${code})
- The same call may succeed later: ${retryable ? "yes" : "no"}
`,
    );
  return `<!-- Generated from src/errors/reasons/ and clients/node/src/errors.ts; do not edit. -->
# Errors

Every error is a \`google.rpc.Status\` whose details carry an \`ErrorInfo\` with one of these reasons, the domain
\`drover.dev\` and the message's values as metadata. Errors of a request's fields carry a \`BadRequest\` with field paths, those
that may pass by themselves a \`RetryInfo\`. Over gRPC the status is in \`grpc-status-details-bin\`, over Connect in \`details\`.
[At the end](#reasons-of-the-client) are the errors that clients make themselves.

${sections.join("\n")}`;
}
