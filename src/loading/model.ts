import type { RejectedRow } from "../engine/file-scan.ts";
import type { IncrementRule } from "../engine/increment.ts";
import type { DriverError } from "../errors/driver-error.ts";
import type { RanWith } from "../library-sets/ran-with.ts";
import type { OperationSnapshot } from "../operations/model.ts";
import type { Whose } from "../operations/owner.ts";
import type { SourceSpec } from "../sources/connector.ts";

export interface LoadRequest {
  readonly dataset: string;
  readonly source: SourceSpec;
  /** Chosen by the client; made when left out or empty. */
  readonly operationId?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How later refreshes tell what is new. */
  readonly increment?: IncrementRule;
  /** Adds to the current version what is new since, as `increment` says, instead of reading everything. */
  readonly onlyNew?: boolean;
  /** Who asks: shown in the history. */
  readonly requestedBy: string;
  readonly whose?: Whose | undefined;
  /** Whose turn it is in the pool. */
  readonly caller: string;
}

/** What a succeeded load leaves in its operation, as JSON. */
export interface LoadOutcome {
  readonly version: number;
  readonly rows: number;
  readonly bytes: number;
  readonly sourceBytes: number;
  readonly rejectedRows: number;
  /** The first ones, 100 at most. */
  readonly rejectedSamples: readonly RejectedRow[];
  readonly warnings: readonly string[];
  /** What read the source; absent where no client library did, as for files. */
  readonly libraries?: RanWith;
  /** Whether an increment has found nothing new, so that `version` is the one that was there. */
  readonly unchanged?: boolean;
  /** How many rows of the version before an increment has replaced. */
  readonly replacedRows?: number;
}

/** A load that runs, or has run, and whether somebody else has started it. */
export interface Started {
  readonly operation: OperationSnapshot;
  readonly joined: boolean;
}

/** From a source to a published version. */
export interface LoadService {
  /**
   * Starts a load and answers at once. The same operation id is the same operation, also after it has ended, but for one
   * that its driver's end has cut short: that runs again. The same source and options while such a load of the dataset
   * runs joins it, with an operation of its own, and the load stops when the last of them is cancelled; one that another
   * driver process carries out is waited for. Throws LOAD_CONFLICT, OPERATION_EXISTS and what `SourceResolver.resolve` throws;
   * whatever else is wrong fails the operation.
   */
  load(request: LoadRequest): Promise<Started>;
  /** An operation that takes part in the load of a dataset that runs in this process. */
  running(dataset: string): string | undefined;
  /** How many other operations of this process share the load of this one. */
  others(operationId: string): number;
  /** Cancels an operation and all that share its load, in other processes, too. */
  cancelForAll(operationId: string, reason: DriverError): Promise<void>;
}
