import type { DatasetEvent } from "../datasets/events.ts";
import type { AppendEvent } from "../loading/append/parts.ts";
import type { WorkerPoolEvent } from "../loading/workers/worker-pool.ts";
import type { Logger, LogLevel } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { OperationSnapshot } from "../operations/model.ts";

const LINES: Readonly<Record<DatasetEvent["type"], readonly [Exclude<LogLevel, "silent">, string]>> = {
  published: ["info", "a version was published"],
  dropped: ["info", "a dataset was deleted"],
  resident: ["info", "a version came into memory"],
  evicted: ["info", "a version left memory"],
  pinRefused: ["warn", "a pinned dataset's version has no room in memory"],
  residencyFailed: ["warn", "a version could not be brought into memory"],
  removed: ["info", "a version was removed"],
  damaged: ["error", "a version is damaged"],
  stagingRemoved: ["info", "what a dead driver left unfinished was removed"],
  cleanupFailed: ["warn", "something could not be removed; it is tried again at the next start"],
};

/** Logs what happens to datasets apart from calls. */
export function logDatasetEvent(logger: Logger, event: DatasetEvent): void {
  const { type, ...fields } = event;
  const [level, message] = LINES[type];
  const isStep = "step" in event && event.step === true;
  logger[isStep ? "debug" : level](message, fields);
}

/** Logs and counts what appends and the merging of their segments do. */
export function noteAppendEvent(logger: Logger, metrics: Metrics, { type, ...fields }: AppendEvent): void {
  if (type === "flushed" && "durationMs" in fields) {
    metrics.count("drover_appended_rows_total", [], fields.rows);
    metrics.observe("drover_append_flush_seconds", [], fields.durationMs / 1000);
    logger.debug("rows were appended", fields);
    return;
  }
  metrics.count("drover_segment_merges_total", [MERGES[type]]);
  if (type === "mergeFailed")
    logger.warn("small segments could not be merged; it is tried after the next append", fields);
  else logger.debug(type === "merged" ? "small segments were merged" : "a merge came too late", fields);
}

const MERGES: Readonly<Record<AppendEvent["type"], string>> = {
  flushed: "",
  merged: "merged",
  mergeDropped: "dropped",
  mergeFailed: "failed",
};

/** Logs and counts what happens to loader workers. */
export function noteWorkerEvent(logger: Logger, metrics: Metrics, event: WorkerPoolEvent): void {
  const { type, ...fields } = event;
  switch (event.type) {
    case "started":
      metrics.count("drover_worker_starts_total", []);
      logger.info("a worker has started", fields);
      return;
    case "ended":
      metrics.count("drover_worker_failures_total", [event.error.reason]);
      logger.warn("a worker has ended", fields);
      return;
    case "detail":
      logger.error("a worker's call failed unexpectedly", fields);
      return;
    default:
      event satisfies never;
  }
}

/** Logs how an operation has ended. */
export function logOperation(
  logger: Logger,
  { id, kind, dataset, state, error, requestedBy }: OperationSnapshot,
): void {
  const fields = { operationId: id, kind, dataset, state, requestedBy, ...(error && { reason: error.reason }) };
  // Queries are many, and their calls are logged.
  if (kind === "query") logger.debug("operation ended", fields);
  else if (error?.reason === "INTERNAL") logger.error("operation ended", { ...fields, error });
  else logger.info("operation ended", fields);
}
