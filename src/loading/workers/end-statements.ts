import type { LibrarySet } from "../../library-sets/model.ts";
import type { Source, StatementEnding } from "../../sources/connector.ts";
import type { WorkerPool } from "./model.ts";

/** A source as workers get it, and what they read it with. */
export interface ReadWith {
  readonly source: Source;
  readonly set: LibrarySet | undefined;
}

const TIMEOUT_MS = 10_000;

/** Ends what a dead worker has left at a server, where it would run on. */
export async function endStatements(
  pool: WorkerPool,
  read: ReadWith,
  endings: readonly StatementEnding[],
): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const results = await Promise.allSettled(endings.map((ending) => endStatement(pool, read, ending, signal)));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** What has killed one worker may have killed those as well that wait for work: they are found dead one by one. */
async function endStatement(
  pool: WorkerPool,
  { source, set }: ReadWith,
  ending: StatementEnding,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await using other = await pool.lease("interactive", { signal, set });
    try {
      await other.call("endStatement", { source, ending }, { signal });
      return;
    } catch (error) {
      if (!other.isOver || signal.aborted) throw error;
    }
  }
}
