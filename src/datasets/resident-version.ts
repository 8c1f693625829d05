import type { StorageLevel } from "../catalog/datasets.ts";
import type { ReadableVersion } from "../engine/engine.ts";
import type { DriverError } from "../errors/driver-error.ts";
import type { EvictionReason } from "./events.ts";

/** A version as the memory level sees it, in memory or not. */
export interface ResidentVersion {
  readonly table: string;
  readonly version: ReadableVersion;
  /** `pinned` counts against the budget also while the version is on its way in. */
  level: StorageLevel;
  state: "out" | "waiting" | "loading" | "resident" | "dropping";
  /** Bytes in memory: estimated until it was there once, exact since. */
  bytes: number;
  /** Readers that use the table now. */
  users: number;
  /** Counts of uses of the whole memory level; 0: never. */
  lastUse: number;
  useBefore: number;
  lastUseTime: number;
  failures: number;
  retryTime: number;
  /** Why it could not be brought in the last time. */
  error: DriverError | undefined;
  /** Why it shall leave with its last user. */
  leaving: EvictionReason | undefined;
  /** While it is loading: how to stop that, and when it is over. */
  loading: { readonly controller: AbortController; readonly done: Promise<void> } | undefined;
}

/** In-memory tables are about as large as the Parquet files that they come from; some margin for text. */
const MEMORY_TO_DISK = 1.25;

export interface ResidentFacts {
  readonly diskBytes: number;
  readonly level: StorageLevel;
  /** How long it is left on disk: one that a stream of appends makes is followed by the next one in a moment. */
  readonly settleMs?: number;
}

export function newResidentVersion(
  table: string,
  version: ReadableVersion,
  { diskBytes, level, settleMs = 0 }: ResidentFacts,
): ResidentVersion {
  return {
    table,
    version,
    level,
    state: "out",
    bytes: Math.ceil(diskBytes * MEMORY_TO_DISK),
    users: 0,
    lastUse: 0,
    useBefore: 0,
    lastUseTime: performance.now(),
    failures: 0,
    retryTime: settleMs > 0 ? performance.now() + settleMs : 0,
    error: undefined,
    leaving: undefined,
    loading: undefined,
  };
}

/**
 * Which versions must leave so that `needed` bytes fit, least recently used first; undefined where that can't be done. One
 * leaves for another only if that was asked for twice since the one was last used: two that don't fit together would
 * otherwise push each other out at every query, at a second of copying each time. `anyway` is for a version just published or
 * pinned. One that is pinned never leaves.
 */
export function chooseVictims(
  residents: readonly ResidentVersion[],
  asker: ResidentVersion,
  { needed, budgetBytes, anyway }: { needed: number; budgetBytes: number; anyway: boolean },
): readonly ResidentVersion[] | undefined {
  const staying = residents.filter(({ state }) => state === "resident");
  let excess = staying.reduce((sum, { bytes }) => sum + bytes, needed) - budgetBytes;
  const victims: ResidentVersion[] = [];
  const candidates = staying
    .filter((resident) => resident !== asker && resident.users === 0 && resident.level !== "pinned")
    .sort((a, b) => a.lastUse - b.lastUse);
  for (const candidate of candidates) {
    if (excess <= 0) break;
    if (!anyway && asker.useBefore <= candidate.lastUse) break;
    victims.push(candidate);
    excess -= candidate.bytes;
  }
  return excess <= 0 ? victims : undefined;
}
