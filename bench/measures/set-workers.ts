import { mkdir, mkdtemp, realpath } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../../src/errors/driver-error.ts";
import type { LibrarySet } from "../../src/library-sets/model.ts";
import { PublishedSets } from "../../src/library-sets/published-sets.ts";
import type { WorkerLease, WorkerPool } from "../../src/loading/workers/model.ts";
import { createWorkerPool } from "../../src/loading/workers/worker-pool.ts";
import { workerProgram } from "../../src/loading/workers/worker-program.ts";
import { folderSet } from "../../test/helpers/set-folder.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { median } from "../support/statistics.ts";

const RUNS = 25;
const driver = join(import.meta.dirname, "../../packages/driver/dist/driver.mjs");
/** What pg needs, as this repository has it installed. */
const PACKAGES = [
  ...["pg", "pg-connection-string", "pg-cursor", "pg-copy-streams", "pg-int8", "pg-pool", "pg-protocol", "pg-types"],
  ...["pgpass", "postgres-array", "postgres-bytea", "postgres-date", "postgres-interval", "split2", "xtend"],
];

export const setWorkers: MeasureGroup = {
  name: "library-sets",
  measures: [
    {
      name: "set-worker-start",
      title: "start of a worker with a library set until it takes calls / of one with the built-in set",
      unit: "x",
      target: { atMost: 1.3 },
      value: (bench) => ratio(bench, async () => undefined),
    },
    {
      name: "set-worker-connector",
      title: "the same until it has loaded the PostgreSQL connector, with pg from the set, and found no server",
      unit: "x",
      target: { atMost: 1.3 },
      value: (bench) => ratio(bench, findNoServer),
    },
  ],
};

type Work = (worker: WorkerLease) => Promise<void>;

async function ratio(bench: Bench, work: Work): Promise<number> {
  const folder = await realpath(await mkdtemp(join(bench.folder, "sets-")));
  // As the launcher has it; workers with other sets do without.
  process.env.NODE_COMPILE_CACHE = join(folder, "cache");
  const set = await folderSet(folder, "bench", { installed: PACKAGES });
  await using pool = await openPool(folder);
  const measured = (own: LibrarySet | undefined) => timeOfStart(pool, own, work);
  for (const own of [set, undefined]) await measured(own);
  const pairs: { readonly builtIn: number; readonly withSet: number }[] = [];
  for (let run = 0; run < RUNS; run++) pairs.push({ builtIn: await measured(undefined), withSet: await measured(set) });
  const [withSet, builtIn] = [pairs.map((pair) => pair.withSet), pairs.map((pair) => pair.builtIn)];
  bench.note(`${median(withSet).toFixed(0)} ms with the set, ${median(builtIn).toFixed(0)} ms without`);
  return median(pairs.map((pair) => pair.withSet / pair.builtIn));
}

async function timeOfStart(pool: WorkerPool, set: LibrarySet | undefined, work: Work): Promise<number> {
  const { signal } = new AbortController();
  const since = performance.now();
  await using worker = await pool.lease("interactive", { signal, set });
  await work(worker);
  const taken = performance.now() - since;
  worker.discard();
  return taken;
}

async function findNoServer(worker: WorkerLease): Promise<void> {
  const server = { name: "none", uri: "postgresql://nobody@127.0.0.1:1/none", options: { tls: "disable" } };
  const source = { kind: "postgres", uri: "", options: { table: "none" }, server };
  const { signal } = new AbortController();
  const failure: unknown = await worker.call("testSource", { source }, { signal }).catch((error: unknown) => error);
  if (DriverError.from(failure).reason !== "CONNECTION_FAILED") throw failure;
}

async function openPool(folder: string): Promise<WorkerPool> {
  const [work, stagingFolder] = [join(folder, "work"), join(folder, "staging")];
  for (const each of [work, stagingFolder]) await mkdir(each);
  return createWorkerPool({
    ...{ min: 0, initial: 0, max: 2, idleMs: 60_000, hangTimeoutMs: 60_000 },
    ...{ workerBytes: 1e9, engineBytes: 500e6, maxSpillBytes: 100e6, threads: 2 },
    program: workerProgram(driver),
    workDirectory: work,
    share: "user",
    fileRoots: () => undefined,
    reserved: () => [],
    parsers: { modules: [], timeoutMs: 5_000 },
    librarySets: { sets: new PublishedSets(folder), stagingFolder },
    onEvent: () => undefined,
  });
}
