/** What the catalogue says of one metric. */
export interface MetricEntry {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[];
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Every metric on /metrics. docs/metrics.md is generated from this table. */
export const metricCatalogue = {
  drover_info: {
    type: "gauge",
    help: "Always 1; its labels say which driver this is.",
    labels: ["version", "profile", "instance_id"],
  },
  drover_start_time_seconds: { type: "gauge", help: "When the process started, in Unix time.", labels: [] },
  drover_state: {
    type: "gauge",
    help: "1 for the state that the driver is in: starting, serving, draining, stopping.",
    labels: ["state"],
  },
  drover_leases: { type: "gauge", help: "Clients that are attached.", labels: [] },
  drover_idle_seconds: {
    type: "gauge",
    help: "How long there has been no lease, no operation and no authenticated call; scraping is none.",
    labels: [],
  },
  drover_lifetime_limit_seconds: {
    type: "gauge",
    help: "When the driver ends by itself, by rule (firstCall, idle, max); 0: never.",
    labels: ["rule"],
  },
  drover_memory_pressure: { type: "gauge", help: "1 while the memory budget is nearly used up.", labels: [] },
  drover_rpc_duration_seconds: {
    type: "histogram",
    help: "Time from a call's arrival to its end, streams included.",
    labels: ["rpc", "code"],
    buckets: SECONDS,
  },
  drover_rpc_in_flight: { type: "gauge", help: "Calls that are being answered.", labels: [] },
  drover_errors_total: {
    type: "counter",
    help: "Errors that were sent, by reason (docs/errors.md).",
    labels: ["reason"],
  },
  drover_connections: { type: "gauge", help: "Open connections.", labels: [] },
  drover_pool_size: { type: "gauge", help: "How many may run at once in a pool.", labels: ["pool"] },
  drover_pool_running: { type: "gauge", help: "How many run in a pool.", labels: ["pool"] },
  drover_pool_queued: { type: "gauge", help: "How many wait for a place in a pool.", labels: ["pool"] },
  drover_appended_rows_total: { type: "counter", help: "Rows that appends have brought into versions.", labels: [] },
  drover_append_flush_seconds: {
    type: "histogram",
    help: "From the moment when an append's rows are taken together to the version that has them.",
    labels: [],
    buckets: SECONDS,
  },
  drover_segment_merges_total: {
    type: "counter",
    help: "Merges of small segments: merged, dropped (the dataset had changed), failed.",
    labels: ["outcome"],
  },
  drover_statements_running: {
    type: "gauge",
    help: "Statements that loads run at database servers, over all connections.",
    labels: [],
  },
  drover_statements_waiting: {
    type: "gauge",
    help: "Statements that wait because their connection runs as many as it may.",
    labels: [],
  },
  drover_workers: {
    type: "gauge",
    help: "Loader workers by what is counted: now (alive), busy, wanted, pending_to_add (starting), pending_to_remove (ending), max_needed (what all that wait would take without a limit), queued (who waits).",
    labels: ["count"],
  },
  drover_workers_limit: { type: "gauge", help: "Loader workers at least and at most: min, max.", labels: ["bound"] },
  drover_worker_memory_bytes: { type: "gauge", help: "Private memory of all loader workers.", labels: [] },
  drover_worker_memory_limit_bytes: { type: "gauge", help: "What one loader worker may take.", labels: [] },
  drover_worker_starts_total: { type: "counter", help: "Loader workers that have started.", labels: [] },
  drover_worker_failures_total: {
    type: "counter",
    help: "Loader workers that ended though nobody told them to, by reason.",
    labels: ["reason"],
  },
  drover_query_phase_seconds: {
    type: "histogram",
    help: "Where the time of successful queries went: queued, planned, executed, encoded.",
    labels: ["phase"],
    buckets: SECONDS,
  },
  drover_query_rows_total: { type: "counter", help: "Rows that queries answered.", labels: [] },
  drover_query_scanned_rows_total: { type: "counter", help: "Rows that queries scanned.", labels: [] },
  drover_query_spool_bytes: { type: "gauge", help: "What is kept of reattachable queries.", labels: [] },
  drover_query_reattachments_total: {
    type: "counter",
    help: "Readers that came back to a reattachable query, by what they found: resumed, expired (RESULT_EXPIRED), unknown (OPERATION_NOT_FOUND).",
    labels: ["outcome"],
  },
  drover_engine_active: {
    type: "gauge",
    help: "Statements that an engine of the driver runs: reader.",
    labels: ["engine"],
  },
  drover_datasets: { type: "gauge", help: "Datasets.", labels: [] },
  drover_resident_datasets: { type: "gauge", help: "Datasets whose current version is in memory.", labels: [] },
  drover_resident_bytes: { type: "gauge", help: "What datasets in memory take.", labels: [] },
  drover_resident_budget_bytes: { type: "gauge", help: "What datasets in memory may take.", labels: [] },
  drover_pinned_bytes: { type: "gauge", help: "What pinned datasets take of that, or wait for.", labels: [] },
  drover_evictions_total: {
    type: "counter",
    help: "Versions that left memory, by reason: budget, idle, superseded, removed, level, requested.",
    labels: ["reason"],
  },
  drover_pins_refused_total: {
    type: "counter",
    help: "Versions of pinned datasets that had no room in memory.",
    labels: [],
  },
  drover_memory_budget_bytes: { type: "gauge", help: "The `memory` setting.", labels: [] },
  drover_process_resident_bytes: { type: "gauge", help: "The process's resident set.", labels: [] },
  drover_heap_used_bytes: { type: "gauge", help: "The JavaScript heap that is in use.", labels: [] },
  drover_cpu_seconds_total: { type: "counter", help: "CPU time of the process, user and system.", labels: [] },
  drover_event_loop_delay_seconds: {
    type: "gauge",
    help: "Delay of the event loop over the last minute, by quantile.",
    labels: ["quantile"],
  },
} as const satisfies Record<string, MetricEntry>;

export type MetricName = keyof typeof metricCatalogue;

type NamesOf<T extends MetricEntry["type"]> = {
  [N in MetricName]: (typeof metricCatalogue)[N]["type"] extends T ? N : never;
}[MetricName];

export type CounterName = NamesOf<"counter">;
export type GaugeName = NamesOf<"gauge">;
export type HistogramName = NamesOf<"histogram">;

/** One text for each label of a metric, in the catalogue's order. */
export type LabelsOf<N extends MetricName> = Texts<(typeof metricCatalogue)[N]["labels"]>;

type Texts<L extends readonly string[]> = { readonly [I in keyof L]: string };
