import type { Source, StatementEnding } from "../../sources/connector.ts";
import type { WorkerPool } from "./model.ts";

const TIMEOUT_MS = 10_000;

/** Ends what a dead worker has left at a server, where it would run on. */
export async function endStatements(
  pool: WorkerPool,
  source: Source,
  endings: readonly StatementEnding[],
): Promise<void> {
  if (endings.length === 0) return;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  await using other = await pool.lease("interactive", { signal });
  for (const ending of endings) await other.call("endStatement", { source, ending }, { signal });
}
