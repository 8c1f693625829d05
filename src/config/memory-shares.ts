import type { Settings } from "./settings.ts";

/** How the memory budget is divided, in bytes. `process`, `loader` and `reader` sum up to the budget; `resident` is a part of `reader`. */
export interface MemoryShares {
  readonly budget: number;
  /** The JavaScript heap, buffers and results on their way. */
  readonly process: number;
  /** The loading engine's limit. */
  readonly loader: number;
  /** The reading engine's limit, datasets in memory included. */
  readonly reader: number;
  /** What datasets in memory may take. */
  readonly resident: number;
}

const PROCESS_MIN = 128e6;
const PROCESS_MAX = 512e6;

export function divideMemory(settings: Pick<Settings, "memory" | "residency">): MemoryShares {
  const budget = settings.memory;
  const process = Math.floor(Math.min(PROCESS_MAX, Math.max(PROCESS_MIN, budget * 0.2)));
  const loader = Math.floor((budget - process) * 0.4);
  const reader = budget - process - loader;
  const wanted = settings.residency.budget;
  // The default, which needs the shares, is infinite; a wish for the whole share would leave nothing for queries.
  const resident = Math.floor(Number.isFinite(wanted) ? Math.min(wanted, reader * 0.8) : reader * 0.6);
  return { budget, process, loader, reader, resident };
}
