import type { RefreshRecord } from "../../catalog/refreshes.ts";
import type { DatasetInfo } from "../../datasets/model.ts";
import type { IncrementRule } from "../../engine/increment.ts";
import type { DriverError } from "../../errors/driver-error.ts";
import type { Whose } from "../../operations/owner.ts";
import type { FreshDatasets } from "../../queries/make-fresh.ts";
import type { Started } from "../model.ts";
import type { Schedule } from "./schedule.ts";

export interface RefreshRequest {
  readonly dataset: string;
  /** Left out: by increments where the dataset has a rule for them, else in full. */
  readonly mode?: "full" | "incremental";
  /** Takes the place of the dataset's rule, from now on. */
  readonly increment?: IncrementRule;
  /** Chosen by the client; made when left out or empty. */
  readonly operationId?: string;
  readonly requestedBy: string;
  readonly whose?: Whose | undefined;
  readonly caller: string;
}

/** A refresh that runs, or has run. */
export interface StartedRefresh extends Started {
  /** Settles when what has come of it is noted, where it was begun by this call. Never fails. */
  readonly noted: Promise<void>;
}

/** Brings datasets to what their sources hold. */
export interface RefreshService extends FreshDatasets {
  /**
   * Reads a dataset's source again, as an operation like any load: those who ask for the same at the same time share it. Throws
   * DATASET_NOT_FOUND, NOT_REFRESHABLE, INVALID_INCREMENT and what `LoadService.load` throws.
   */
  refresh(request: RefreshRequest): Promise<StartedRefresh>;
  /** How old the rows of the current version are: when their source was last seen to hold them. */
  freshTime(info: DatasetInfo): Promise<Date>;
  /** What is known of a dataset's refreshes; undefined for nothing. */
  status(info: DatasetInfo): Promise<RefreshRecord | undefined>;
  /** Notes that a version was made current again, so that what was seen of later ones counts no more. */
  noteRestored(info: DatasetInfo): Promise<void>;
  /** Notes a refresh that could not even start. */
  noteFailure(uid: string, error: DriverError): Promise<void>;
  /** Throws DATASET_NOT_FOUND, INVALID_SCHEDULE, NOT_REFRESHABLE. */
  setSchedule(dataset: string, schedule: Schedule | undefined): Promise<DatasetInfo>;
}
