import type { ResolvedSource } from "../definitions/model.ts";
import type { StatementLimits } from "../scheduling/statement-limits.ts";
import type { StatementPermits } from "./workers/read-source.ts";

/** Gives workers places among the statements of a source's connection. */
export function permitsFor(statements: StatementLimits, source: ResolvedSource, caller: string): StatementPermits {
  return async (_, { signal }) => {
    const counted = source.statements;
    if (counted === undefined) return { [Symbol.dispose]: () => undefined };
    return statements.acquire(counted.connection, counted.limit, { signal, caller });
  };
}
