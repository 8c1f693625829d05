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
/** A load of 2,000 columns was seen to need up to 425 MB. Where there is less for each, there are fewer workers. */
const WORKER_MIN = 450e6;
const LOADER_SHARE = 0.45;
/** Until there is enough for two workers, so that previews don't wait for loads. */
const LOADER_SHARE_MAX = 0.55;
/** A worker before its engine has read anything. */
const WORKER_BASE = 64e6;
/** DuckDB's limit is on its buffers; what else it takes was seen to be half of it at most, with 2,000 columns. */
const ENGINE_SHARE = 0.65;

export function divideMemory(settings: Pick<Settings, "memory" | "residency" | "workers">): MemoryShares {
  const budget = settings.memory;
  const process = Math.floor(Math.min(PROCESS_MAX, Math.max(PROCESS_MIN, budget * 0.15)));
  const rest = budget - process;
  const loader = Math.floor(Math.max(rest * LOADER_SHARE, Math.min(2 * WORKER_MIN, rest * LOADER_SHARE_MAX)));
  const reader = rest - loader;
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
