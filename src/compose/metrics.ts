import type { DatasetEvent } from "../datasets/events.ts";
import type { DatasetStore } from "../datasets/model.ts";
import type { ReadEngine } from "../engine/engine.ts";
import type { Identity } from "../lifecycle/identity.ts";
import type { Readiness } from "../lifecycle/readiness.ts";
import type { WorkerPool } from "../loading/workers/model.ts";
import type { EventLoopMonitor } from "../observability/event-loop.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { MemoryStatus } from "../rpc/handlers/driver.ts";
import type { Pool } from "../scheduling/model.ts";
import type { StatementLimits } from "../scheduling/statement-limits.ts";
import type { DriverLife } from "./life.ts";

export interface MeasuredParts {
  readonly identity: Identity;
  readonly readiness: Readiness;
  readonly pools: readonly Pool[];
  readonly engine: ReadEngine;
  readonly workers: WorkerPool;
  readonly statements: StatementLimits;
  readonly datasets: DatasetStore;
  readonly eventLoop: EventLoopMonitor;
  readonly life: DriverLife;
  memory(): MemoryStatus;
}

/** Counts what happens to datasets apart from calls. */
export function countDatasetEvent(metrics: Metrics, event: DatasetEvent): void {
  if (event.type === "evicted") metrics.count("drover_evictions_total", [event.reason]);
  if (event.type === "pinRefused") metrics.count("drover_pins_refused_total", []);
}

/** Tells the metrics where to read what is read rather than counted. */
export function measure(metrics: Metrics, parts: MeasuredParts): void {
  const { identity, readiness, pools, engine, workers, statements, datasets, eventLoop, life, memory } = parts;
  metrics.collect((set) => {
    set("drover_info", [identity.version, identity.profile, identity.instanceId], 1);
    set("drover_start_time_seconds", [], identity.startTime.getTime() / 1000);
    for (const state of ["starting", "serving", "draining", "stopping"]) {
      set("drover_state", [state], Number(readiness.state === state));
    }
    set("drover_leases", [], life.leases.size);
    set("drover_idle_seconds", [], life.lifetime.idleMs / 1000);
    for (const [rule, limit] of Object.entries(life.lifetime.rules)) {
      set("drover_lifetime_limit_seconds", [rule], limit / 1000);
    }
    set("drover_memory_pressure", [], Number(life.pressure.high));
    for (const { name, size, running, queued } of pools.map((pool) => pool.status())) {
      set("drover_pool_size", [name], size);
      set("drover_pool_running", [name], running);
      set("drover_pool_queued", [name], queued);
    }
    set("drover_engine_active", ["reader"], engine.active);
    const { now, busy, wanted, pendingToAdd, pendingToRemove, maxNeeded, queued: waiting, ...pool } = workers.status();
    const counts = { now, busy, wanted, pending_to_add: pendingToAdd, pending_to_remove: pendingToRemove };
    for (const [count, value] of Object.entries({ ...counts, max_needed: maxNeeded, queued: waiting })) {
      set("drover_workers", [count], value);
    }
    set("drover_workers_limit", ["min"], pool.min);
    set("drover_workers_limit", ["max"], pool.max);
    set("drover_worker_memory_bytes", [], pool.memoryBytes);
    set("drover_worker_memory_limit_bytes", [], pool.workerBytes);
    const connections = statements.status();
    set("drover_statements_running", [], sumOf(connections.map(({ running }) => running)));
    set("drover_statements_waiting", [], sumOf(connections.map((connection) => connection.waiting)));
    const listed = datasets.list({ labels: {} });
    set("drover_datasets", [], listed.length);
    set("drover_resident_datasets", [], listed.filter(({ resident }) => resident).length);
    const { budget, resident, residentBudget, process: processBytes } = memory();
    set("drover_memory_budget_bytes", [], budget);
    set("drover_resident_bytes", [], resident);
    set("drover_pinned_bytes", [], datasets.memory().pinnedBytes);
    set("drover_resident_budget_bytes", [], residentBudget);
    set("drover_process_resident_bytes", [], processBytes);
    set("drover_heap_used_bytes", [], process.memoryUsage().heapUsed);
    const { user, system } = process.cpuUsage();
    set("drover_cpu_seconds_total", [], (user + system) / 1e6);
    for (const quantile of [0.5, 0.99, 1]) {
      set("drover_event_loop_delay_seconds", [String(quantile)], eventLoop.quantile(quantile));
    }
  });
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
