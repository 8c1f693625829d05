import type { PartitionContent, SourceColumn } from "./content.ts";
import type { Source, SourceContext, StatementEnding } from "./source.ts";

/**
 * Code that reads one kind of source. It runs in worker processes only. Whatever takes time stops when the signal of its
 * options is aborted, and holds no more than a bounded part of the source in memory.
 */
export interface Connector {
  readonly kind: string;
  /**
   * Whether its sessions see to a source's `filter` and `limit`, and to both exactly. Default: the engine does, after it has read
   * all rows.
   */
  readonly filters?: boolean;
  /** Opens what the other calls need: a connection, a transaction. Throws CONNECTION_FAILED, SOURCE_NOT_FOUND, and their like. */
  open(source: Source, context: SourceContext): Promise<SourceSession>;
  /** Stops a statement whose worker has died. For kinds that speak to a server. */
  endStatement?(source: Source, ending: StatementEnding, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** One worker's way into a source. */
export interface SourceSession extends AsyncDisposable {
  /** What is at the other end, in words: `PostgreSQL 15.18`. Throws where it can't be reached. */
  test(): Promise<SourceTest>;
  /** Tables and views that the login can read; for kinds that speak to a server. */
  listTables?(): AsyncIterable<SourceTable>;
  /** Finds columns and cuts the source into partitions. Called in one session of a load. */
  plan(options: PlanOptions): Promise<SourcePlan>;
  /** Takes part in a load that another session has planned: sees the snapshot that `shared` names. */
  join?(shared: SharedSnapshot): Promise<void>;
  /** Told in the session that has planned, once all others have joined. */
  joined?(): Promise<void>;
  /** Reads one partition. */
  read(partition: Partition): Promise<PartitionContent>;
  /** Throws SOURCE_CHANGED where what was read is no longer what was planned; called after the last partition. */
  requireUnchanged?(): Promise<void>;
}

export interface SourceTest {
  readonly description: string;
  readonly warnings?: readonly string[];
}

export interface SourceTable {
  readonly schema: string;
  readonly name: string;
  readonly type: "table" | "view";
  /** The server's estimate; undefined where it has none. */
  readonly rows?: number;
  readonly comment?: string;
}

export interface PlanOptions {
  /** More partitions than this are of no use. */
  readonly maxPartitions: number;
  /** The load is a preview: its first rows will do, and statistics are not worth their time. */
  readonly preview: boolean;
}

/** A part of a source that one session reads at once; plain data that only its connector understands. All of a plan take 16 MB at most. */
export type Partition = Readonly<Record<string, unknown>>;

/** How other sessions see the same snapshot; plain data. */
export type SharedSnapshot = Readonly<Record<string, unknown>>;

export interface SourcePlan {
  /** The columns with their types, 16 MB at most; undefined where the engine finds them in the files. */
  readonly columns: readonly SourceColumn[] | undefined;
  readonly partitions: readonly Partition[];
  /** Where several sessions can read one snapshot. Undefined: partitions are read in this session only. */
  readonly shared?: SharedSnapshot;
  /** For progress. Default: 0, unknown. */
  readonly totalBytes?: number;
  /** For progress; undefined while unknown. */
  readonly estimatedRows?: number;
  readonly warnings?: readonly string[];
}
