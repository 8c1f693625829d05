import type { Reason } from "../../errors/reasons.ts";

/** What a handler finds wrong with a document; whoever parses it adds the place. */
export class Refusal extends Error {
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(reason: Reason, message: string, metadata: Readonly<Record<string, string>> = {}) {
    super(message);
    this.reason = reason;
    this.metadata = metadata;
  }
}
