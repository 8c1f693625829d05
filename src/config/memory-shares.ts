import type { Settings } from "./settings.ts";

/** How the memory budget is divided, in bytes. `process`, `loader` and `reader` sum up to the budget; `resident` is a part of `reader`. */
export interface MemoryShares {
  readonly budget: number;
  /** The JavaScript heap, buffers and results on their way. */
  readonly process: number;
  /** All loader workers together. */
  readonly loader: number;
  /** How many workers share `loader`, and what each may take: private memory, its engine's limit included. */
  readonly workers: { readonly max: number; readonly bytes: number; readonly engineBytes: number };
  /** The reading engine's limit, datasets in memory included. */
  readonly reader: number;
  /** What datasets in memory may take. */
  readonly resident: number;
}

const PROCESS_MIN = 128e6;
const PROCESS_MAX = 512e6;
/** With less, loads of many columns do not finish: then there are fewer workers. */
const WORKER_MIN = 256e6;
/** A worker before its engine has read anything. */
const WORKER_BASE = 64e6;
/** DuckDB's limit is on its buffers; what else it takes was seen to be a fifth of it at most. */
const ENGINE_SHARE = 0.8;

export function divideMemory(settings: Pick<Settings, "memory" | "residency" | "workers">): MemoryShares {
  const budget = settings.memory;
  const process = Math.floor(Math.min(PROCESS_MAX, Math.max(PROCESS_MIN, budget * 0.15)));
  const loader = Math.floor((budget - process) * 0.45);
  const reader = budget - process - loader;
  const wanted = settings.residency.budget;
  // The default, which needs the shares, is infinite; a wish for the whole share would leave nothing for queries.
  const resident = Math.floor(Number.isFinite(wanted) ? Math.min(wanted, reader * 0.8) : reader * 0.6);
  return { budget, process, loader, workers: divideLoader(loader, settings.workers.max), reader, resident };
}

function divideLoader(loader: number, wanted: number): MemoryShares["workers"] {
  const max = Math.max(1, Math.min(wanted, Math.floor(loader / WORKER_MIN)));
  const bytes = Math.floor(loader / max);
  return { max, bytes, engineBytes: Math.floor((bytes - WORKER_BASE) * ENGINE_SHARE) };
}
