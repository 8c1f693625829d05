import type { Code } from "../code.ts";

/** What the catalogue says of one reason. */
export interface ReasonEntry {
  /** The gRPC code that the error travels with. */
  readonly code: Code;
  /** When it happens, for docs/errors.md. */
  readonly when: string;
  /** What the reader can do about it; shown by the CLI below the message. */
  readonly help: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
}
