import type { OperationSnapshot } from "./model.ts";

/** What is kept of finished operations. */
export interface HistoryBounds {
  /** At most this many of each kind. */
  readonly maxPerKind: number;
  /** Those that ended before it are gone. */
  readonly endedAfter: Date;
}

/** Where operations are written so that a restart knows them. */
export interface HistoryStore {
  /** Marks what driver processes that are dead have left unfinished as lost; answers how many. */
  markLost(): Promise<number>;
  /** A finished operation; one that a dead process has left unfinished is marked as lost first. */
  find(id: string): Promise<OperationSnapshot | undefined>;
  /** Finished operations within the bounds, those of one kind after the other's, newest first, some at a time. */
  load(bounds: HistoryBounds): AsyncIterable<readonly OperationSnapshot[]>;
  /** Writes operations as they are now; one that is there already is replaced. */
  save(operations: readonly OperationSnapshot[]): Promise<void>;
  /** Deletes finished operations out of bounds. */
  prune(bounds: HistoryBounds): Promise<void>;
}
