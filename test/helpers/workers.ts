import { join } from "node:path";
import { inject } from "vitest";
import type { WorkerPool } from "../../src/loading/workers/model.ts";
import {
  createWorkerPool,
  type WorkerPoolEvent,
  type WorkerPoolOptions,
} from "../../src/loading/workers/worker-pool.ts";
import { workerProgram } from "../../src/loading/workers/worker-program.ts";

export interface TestWorkerOptions extends Partial<WorkerPoolOptions> {
  readonly events?: WorkerPoolEvent[];
}

/** A pool of real workers, which run the bundle that the tests have made. Their folders lie in `directory`. */
export function openTestWorkers(directory: string, { events, ...options }: TestWorkerOptions = {}): WorkerPool {
  return createWorkerPool({
    min: 0,
    initial: 0,
    max: 3,
    idleMs: 60_000,
    hangTimeoutMs: 60_000,
    workerBytes: 1e9,
    engineBytes: 500e6,
    maxSpillBytes: 100e6,
    threads: 2,
    program: workerProgram(join(inject("bundles"), "driver.mjs")),
    workDirectory: directory,
    share: "user",
    fileRoots: () => undefined,
    reserved: () => [],
    parsers: { modules: [], timeoutMs: 5_000 },
    onEvent: (event) => events?.push(event),
    ...options,
  });
}
