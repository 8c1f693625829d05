import type { Code } from "./code.ts";
import { type Reason, reasons } from "./reasons.ts";

/** A field of a request that breaks a rule. */
export interface FieldViolation {
  /** The path from the request's root, for example `question.aggregate.measures[0].column`. */
  readonly field: string;
  /** What is wrong with it. */
  readonly description: string;
}

/** What an error may carry beside its reason and message. */
export interface DriverErrorOptions {
  /** Every value that the message was made of, for machines. Never a secret. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** For INVALID_REQUEST and its like: the fields at fault. */
  readonly violations?: readonly FieldViolation[];
  /** What caused it; logged, never sent. */
  readonly cause?: unknown;
}

/** The one error type. Its reason is a key of the catalogue; its message is for people and holds the place and the values. */
export class DriverError extends Error {
  override readonly name = "DriverError";
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];

  constructor(reason: Reason, message: string, options: DriverErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.metadata = options.metadata ?? {};
    this.violations = options.violations ?? [];
  }

  get code(): Code {
    return reasons[this.reason].code;
  }

  get retryable(): boolean {
    return reasons[this.reason].retryable;
  }

  /** Makes any thrown value a DriverError: aborts become CANCELLED or DEADLINE_EXCEEDED, the unknown INTERNAL. */
  static from(thrown: unknown): DriverError {
    if (thrown instanceof DriverError) return thrown;
    // What failed first counts, not what failed after it at the end of a scope.
    if (thrown instanceof SuppressedError) return DriverError.from(thrown.suppressed);
    if (thrown instanceof Error) {
      if (thrown.name === "TimeoutError")
        return new DriverError("DEADLINE_EXCEEDED", "the deadline passed", { cause: thrown });
      if (thrown.name === "AbortError")
        return new DriverError("CANCELLED", "the call was cancelled", { cause: thrown });
    }
    return new DriverError("INTERNAL", "an unexpected error", { cause: thrown });
  }
}
