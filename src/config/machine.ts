import { readFileSync } from "node:fs";
import { availableParallelism, homedir, totalmem } from "node:os";
import { join } from "node:path";

/** What defaults are computed from. Tests pass their own. */
export interface Machine {
  /** What this process may use: the cgroup's limit, else the machine's memory. */
  readonly memoryBytes: number;
  /** CPUs that this process may use: affinity and the cgroup's quota are taken off. */
  readonly cpus: number;
  /** Where data goes when nothing is said: `$XDG_DATA_HOME/drover` or `~/.local/share/drover`. */
  readonly dataHome: string;
}

export function inspectMachine(environment: NodeJS.ProcessEnv): Machine {
  return {
    memoryBytes: Math.min(totalmem(), cgroupMemoryBytes()),
    cpus: availableParallelism(),
    dataHome: join(environment.XDG_DATA_HOME || join(environment.HOME || homedir(), ".local", "share"), "drover"),
  };
}

/** The limit of cgroup v2, then v1; Infinity where there is none. `process.constrainedMemory()` answers 0 or 2^64 in some. */
function cgroupMemoryBytes(): number {
  for (const file of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const limit = Number(readFileSync(file, "utf8").trim());
      if (Number.isFinite(limit) && limit > 0) return limit;
    } catch {
      // Not this kind of cgroup.
    }
  }
  return Number.POSITIVE_INFINITY;
}
