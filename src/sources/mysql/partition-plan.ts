import { DriverError } from "../../errors/driver-error.ts";
import type { Relation } from "../database/options.ts";
import { type Range, rangesOf } from "../database/ranges.ts";
import type { MysqlConnection } from "./connection.ts";
import type { MysqlSettings } from "./options.ts";
import { relationSql } from "./quoting.ts";
import { columnRanges, keyColumn, namedPartitionColumn, partsFor, type TableFacts } from "./ranges.ts";
import { SnapshotLock } from "./snapshot.ts";
import type { FieldDefinition } from "./types.ts";

/** How a source is cut, and what keeps it as it is until all sessions see the same rows. */
export interface PartitionPlan {
  /** Undefined where there is one part. */
  readonly column: string | undefined;
  readonly ranges: readonly Range[];
  readonly lock: SnapshotLock | undefined;
  readonly warnings: readonly string[];
}

export interface PartitionRequest {
  readonly connection: MysqlConnection;
  readonly relation: Relation;
  readonly settings: MysqlSettings;
  readonly facts: TableFacts;
  readonly maxPartitions: number;
  readonly signal: AbortSignal;
  describe(): Promise<readonly FieldDefinition[]>;
}

/** Cuts a table where its snapshot can be shared; everything else is one part, with a warning where more was asked for. */
export async function planPartitions(request: PartitionRequest): Promise<PartitionPlan> {
  const { connection, relation, settings, facts, maxPartitions } = request;
  const { partitionColumn, partitions } = settings;
  const named =
    partitionColumn === undefined ? undefined : namedPartitionColumn(await request.describe(), partitionColumn);
  const wanted = Math.min(maxPartitions, partitions ?? (relation.kind === "table" ? partsFor(facts.rows) : 1));
  const asked = named !== undefined || (partitions ?? 1) > 1;
  if (relation.kind === "query")
    return whole(asked, "the rows of a query have no snapshot that several workers could share, so one reads them all");
  if (wanted < 2) return whole(false);
  if (!facts.hasSnapshots) return whole(asked, "the table's engine has no snapshots, so one worker reads it at once");
  const field = named ?? (await keyColumn(connection, relation, await request.describe()));
  if (field === undefined)
    return whole(asked, "the table has no key to be cut by, so one worker reads it; name a partitionColumn");
  const ranges = await columnRanges(connection, relation, field, wanted);
  if (ranges.length < 2) return whole(false);
  try {
    const lock = await SnapshotLock.take(connection.login, relationSql(relation), request.signal);
    return { column: field.name, ranges, lock, warnings: [] };
  } catch (error) {
    request.signal.throwIfAborted();
    if (!(error instanceof DriverError)) throw error;
    return whole(
      true,
      `one worker reads the table, because it can't be locked until others see the same rows: ${error.message}`,
    );
  }
}

function whole(warns: boolean, why = ""): PartitionPlan {
  return { column: undefined, ranges: rangesOf([]), lock: undefined, warnings: warns ? [why] : [] };
}
