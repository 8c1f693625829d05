import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { openCatalog } from "../../src/catalog/catalog.ts";
import { claimInstance } from "../../src/catalog/instance.ts";
import type { DatasetEvent } from "../../src/datasets/events.ts";
import { datasetsFolder } from "../../src/datasets/layout.ts";
import type {
  DatasetInfo,
  DatasetStore,
  PinnedVersion,
  StagedVersion,
  VersionContent,
} from "../../src/datasets/model.ts";
import { type DatasetStoreOptions, openDatasetStore } from "../../src/datasets/store.ts";
import { openReadEngine } from "../../src/engine/duckdb/read-engine.ts";
import type { ReadEngine, Statement } from "../../src/engine/engine.ts";
import type { Plan } from "../../src/engine/plan.ts";

/** What a test can ask of the reading engine of a store. */
export interface TestEngine extends AsyncDisposable {
  readonly read: ReadEngine;
  /** The engine, but every table counts as a megabyte, so that tests can say how many have room. */
  readonly megabytes: Pick<ReadEngine, "makeResident" | "dropResident">;
  /** How many tables are in memory. */
  tables(): Promise<number>;
  /** What a query over a pinned version gives, from memory or from its segments. */
  sum(pinned: PinnedVersion): Promise<string>;
}

/** Opens the reading engine over the datasets of a data directory. */
export async function openTestEngine(dataDirectory: string): Promise<TestEngine> {
  const spillDirectory = join(dataDirectory, "spill");
  for (const folder of [spillDirectory, datasetsFolder(dataDirectory)]) await mkdir(folder, { recursive: true });
  const read = await openReadEngine({
    allowedDirectories: [datasetsFolder(dataDirectory)],
    spillDirectory,
    memoryLimitBytes: 500_000_000,
    maxSpillBytes: 1_000_000,
    threads: 1,
    connections: 1,
  });
  const firstValue = async (statement: Statement) => {
    await using result = await read.query(statement, { signal: new AbortController().signal });
    return (await result.next())?.toRows()[0]?.[0];
  };
  return {
    read,
    megabytes: {
      makeResident: async (table, version, options) => {
        await read.makeResident(table, version, options);
        return 1_000_000;
      },
      dropResident: (table) => read.dropResident(table),
    },
    async tables() {
      const text = "SELECT count(*)::INTEGER FROM duckdb_databases() WHERE database_name LIKE 'resident%'";
      return Number(await firstValue({ text, parameters: [] }));
    },
    async sum({ dataset, manifest, segmentPaths, residentTable }) {
      const plan: Plan = {
        op: "aggregate",
        input: { op: "scan", dataset, version: manifest.number, columns: ["i"] },
        groups: [],
        measures: [{ name: "sum", op: "sum", argument: { kind: "column", name: "i" } }],
      };
      const version = { dataset, version: manifest.number, columns: manifest.columns, segmentPaths };
      const statement = read.render(plan, () => ({ ...version, ...(residentTable && { residentTable }) }));
      return String(await firstValue(statement));
    },
    [Symbol.asyncDispose]: () => read[Symbol.asyncDispose](),
  };
}

export interface OpenedStore extends AsyncDisposable {
  readonly store: DatasetStore;
  readonly events: DatasetEvent[];
}

let openings = 0;

/** Opens a store with its catalog and instance as a driver does. */
export async function openStore(
  dataDirectory: string,
  engine: Pick<ReadEngine, "makeResident" | "dropResident">,
  options: Partial<Omit<DatasetStoreOptions, "dataDirectory" | "engine" | "instance" | "catalog">> = {},
): Promise<OpenedStore> {
  const stack = new AsyncDisposableStack();
  const instance = stack.use(await claimInstance({ dataDirectory, id: `test-${process.pid}-${++openings}` }));
  const catalog = stack.use(await openCatalog({ dataDirectory, instance }));
  const events: DatasetEvent[] = [];
  const store = stack.use(
    await openDatasetStore({
      dataDirectory,
      engine,
      instance,
      catalog,
      residency: { budgetBytes: 0, idleMs: 0 },
      retention: { maxVersions: 3, maxAgeMs: 0, maxBytes: 0 },
      quota: { maxBytes: 0, minFreeBytes: 0 },
      onEvent: (event) => events.push(event),
      ...options,
    }),
  );
  return { store, events, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Writes segments with one column `i` whose sum tells versions apart. */
export async function writeSegments(folder: string, numbers: readonly number[]): Promise<VersionContent> {
  await mkdir(folder, { recursive: true });
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const segments = [];
    for (const [index, number] of numbers.entries()) {
      const file = `segment-${index + 1}.parquet`;
      await connection.run(`COPY (SELECT ${number}::BIGINT AS i) TO '${join(folder, file)}' (FORMAT parquet)`);
      segments.push({ file, rows: 1, bytes: (await stat(join(folder, file))).size });
    }
    return {
      columns: [{ name: "i", type: "BIGINT", kind: "integer" }],
      segments,
      rows: numbers.length,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      sourceBytes: 10,
      lineage: { format: "csv", uri: "/somewhere.csv", options: {}, operationId: "load-1" },
      warnings: [],
      rejectedRows: 0,
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Stages, writes and publishes a version; `over` replaces parts of what the load says of it. */
export async function load(
  store: DatasetStore,
  name: string,
  numbers: readonly number[],
  labels: Readonly<Record<string, string>> = {},
  over: Partial<VersionContent> = {},
): Promise<DatasetInfo> {
  await using staged: StagedVersion = await store.stage(name);
  return await staged.publish({ ...(await writeSegments(staged.directory, numbers)), ...over }, labels);
}
