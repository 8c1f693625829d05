import type { AppendEvent } from "./loading/append/parts.ts";
import type { Logger } from "./observability/logger.ts";
import type { Metrics } from "./observability/metrics.ts";

/** Logs and counts what appends and the merging of their segments do. */
export function noteAppendEvent(logger: Logger, metrics: Metrics, { type, ...fields }: AppendEvent): void {
  if (type === "flushed" && "durationMs" in fields) {
    metrics.count("drover_appended_rows_total", [], fields.rows);
    metrics.observe("drover_append_flush_seconds", [], fields.durationMs / 1000);
    logger.debug("rows were appended", fields);
    return;
  }
  metrics.count("drover_segment_merges_total", [OUTCOMES[type]]);
  if (type === "mergeFailed")
    logger.warn("small segments could not be merged; it is tried after the next append", fields);
  else logger.debug(type === "merged" ? "small segments were merged" : "a merge came too late", fields);
}

const OUTCOMES: Readonly<Record<AppendEvent["type"], string>> = {
  flushed: "",
  merged: "merged",
  mergeDropped: "dropped",
  mergeFailed: "failed",
};
