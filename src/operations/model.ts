import type { DriverError } from "../errors/driver-error.ts";
import type { Owner, Whose } from "./owner.ts";

export const operationKinds = ["load", "query", "export", "append"] as const;
export type OperationKind = (typeof operationKinds)[number];
export type OperationState = "pending" | "running" | "cancelling" | "succeeded" | "failed" | "cancelled" | "lost";

export interface OperationProgress {
  readonly fraction: number | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly phase: string;
}

/** A JSON object: configuration and outcome are kept and shown as such. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What anybody may see of an operation. */
export interface OperationSnapshot {
  readonly id: string;
  readonly kind: OperationKind;
  readonly state: OperationState;
  readonly dataset: string;
  readonly progress: OperationProgress;
  readonly error?: DriverError;
  readonly requestedBy: string;
  /** Undefined: nobody's but an administrator's. */
  readonly owner?: Owner;
  /** Under which scope it was begun; absent: without bounds. */
  readonly scopeHash?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly configuration: JsonObject;
  readonly outcome?: JsonObject;
  readonly createTime: Date;
  readonly startTime?: Date;
  readonly endTime?: Date;
}

export interface OperationRequest {
  /**
   * Chosen by the client; made when left out. A second one with the same id is OPERATION_EXISTS, unless `mayReplace` says
   * that it takes the place of the first.
   */
  readonly id?: string;
  readonly kind: OperationKind;
  readonly dataset: string;
  readonly requestedBy: string;
  /** Who will own it; left out: nobody but an administrator. */
  readonly whose?: Whose | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly configuration: JsonObject;
}

/** What the work itself holds of its operation. */
export interface OperationHandle {
  readonly id: string;
  /** Aborted by cancel, by the driver's stop and by the signal that `start` was given. */
  readonly signal: AbortSignal;
  /** From pending to running. */
  begin(): void;
  /** Keeps every value from going back and computes the rates. */
  report(progress: {
    fraction?: number | undefined;
    rows?: number;
    bytes?: number;
    totalBytes?: number;
    phase?: string;
  }): void;
  /** Says something to the watchers. */
  warn(message: string): void;
}

/** What a watcher gets. A slow one sees only the latest progress, but every warning and the end. */
export type OperationEvent =
  | { readonly type: "state"; readonly operation: OperationSnapshot }
  | { readonly type: "progress"; readonly progress: OperationProgress }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "ended"; readonly operation: OperationSnapshot };

/** Ids, states, progress, cancel and history of everything that takes time. Knows nothing of data. */
export interface Operations extends AsyncDisposable {
  /**
   * Reads the history of earlier processes and marks what dead ones left unfinished as lost. Not needed to take work, so
   * a driver calls it once it serves.
   */
  recover(): Promise<void>;
  /** Learns what another process has left of an operation: before `recover` reads it, or where it ended after that. */
  recall(id: string): Promise<void>;
  /**
   * Registers an operation and runs `work`. `work`'s result is the outcome shown in the history. The promise settles as
   * `work` does; the operation is in its final state by then. Aborting `signal` cancels it.
   */
  run<T>(
    request: OperationRequest,
    work: (handle: OperationHandle) => Promise<{ result: T; outcome: JsonObject }>,
    options: { signal?: AbortSignal },
  ): { readonly id: string; readonly done: Promise<T> };
  /** How many run or wait. */
  readonly live: number;
  /** Throws OPERATION_NOT_FOUND, also for one that is not the asker's. */
  get(id: string, asker?: Whose): OperationSnapshot;
  find(id: string): OperationSnapshot | undefined;
  /**
   * Whether a request is the retry of an operation whose result nobody can get any more because its driver has ended: one
   * that was cut short, or a query that another process has answered.
   */
  mayReplace(request: OperationRequest): boolean;
  list(filter: OperationFilter): { readonly operations: readonly OperationSnapshot[]; readonly nextPageToken: string };
  /** Present state first, then progress at most 10 times a second, warnings, and the end; then it is over. */
  watch(id: string, options: { signal: AbortSignal }): AsyncIterable<OperationEvent>;
  /** Asks it to stop and waits until it has, 10 s at most. */
  cancel(id: string, reason: DriverError): Promise<OperationSnapshot>;
  /** Cancels all that runs after `graceMs`, or once `signal` is aborted, and waits for the ends. */
  stop(options: { graceMs: number; signal?: AbortSignal }): Promise<void>;
}

export interface OperationFilter {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly kinds: readonly OperationKind[];
  readonly states: readonly OperationState[];
  readonly labels: Readonly<Record<string, string>>;
  readonly dataset: string;
  /** Only his; left out: everybody's. */
  readonly asker?: Whose | undefined;
  /** What the asker sees of an operation, by which labels and dataset go; left out: all of it. */
  readonly seen?: (operation: OperationSnapshot) => OperationSnapshot;
}
