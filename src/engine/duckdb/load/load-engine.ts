import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBInstance } from "@duckdb/node-api";
import { suggest } from "../../../config/suggest.ts";
import { DriverError } from "../../../errors/driver-error.ts";
import { verifyCompressed } from "../../byte-stream.ts";
import type { LoadEngine, LoadEngineOptions, Preview, PreviewOptions, WriteOptions } from "../../engine.ts";
import type { FileScan, SniffResult, WrittenSegments } from "../../file-scan.ts";
import type { Increment, IncrementRule, MergedIncrement, StoredRows } from "../../increment.ts";
import { Connection, openInstance } from "../connection.ts";
import { writeCsv } from "./csv-load.ts";
import type { KnownScan } from "./csv-scan.ts";
import { sniffCsvFiles } from "./csv-sniff.ts";
import { startOfIncrement } from "./increment-start.ts";
import { sniffJson, writeJson } from "./json-load.ts";
import { mergeIncrement } from "./merge-increment.ts";
import { sniffParquet, writeParquet } from "./parquet-load.ts";
import { previewScan } from "./preview.ts";

/** Opens the instance that loads: apart from the reader's, since it may open any file. */
export async function openLoadEngine(options: LoadEngineOptions): Promise<LoadEngine> {
  const open = () => openLoader(options);
  return new DuckDBLoadEngine(await open(), open, options.memoryLimitBytes);
}

function openLoader(options: LoadEngineOptions): Promise<DuckDBInstance> {
  return openInstance({
    memory_limit: `${options.memoryLimitBytes}B`,
    threads: String(options.threads),
    temp_directory: options.spillDirectory,
    max_temp_directory_size: `${options.maxSpillBytes}B`,
    // Segments don't keep the source's order, so that each thread can write its own row groups.
    preserve_insertion_order: "false",
    allow_community_extensions: "false",
  });
}

type BoundedWriteOptions = WriteOptions & { readonly memoryLimitBytes: number };

class DuckDBLoadEngine implements LoadEngine {
  readonly #open: () => Promise<DuckDBInstance>;
  readonly #memoryLimitBytes: number;
  #instance: DuckDBInstance;
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(instance: DuckDBInstance, open: () => Promise<DuckDBInstance>, memoryLimitBytes: number) {
    this.#instance = instance;
    this.#open = open;
    this.#memoryLimitBytes = memoryLimitBytes;
  }

  get active(): number {
    return this.#running.size;
  }

  sniff(scan: FileScan, { signal }: { signal: AbortSignal }): Promise<SniffResult> {
    return this.#withConnection(async (connection) => {
      const result = await sniffBy(connection, scan, signal);
      requireKnownColumns(result.scan);
      return result;
    });
  }

  preview(scan: FileScan, options: PreviewOptions): Promise<Preview> {
    return this.#withConnection(async (connection) => {
      const { columns } = scan;
      const sniffed = columns
        ? { scan: { ...scan, columns }, warnings: [] }
        : await sniffBy(connection, scan, options.signal);
      requireKnownColumns(sniffed.scan);
      return { ...(await previewScan(connection, scan, sniffed.scan, options)), warnings: sniffed.warnings };
    });
  }

  writeSegments(scan: FileScan, options: WriteOptions): Promise<WrittenSegments> {
    const { columns } = scan;
    if (columns === undefined) throw new DriverError("INTERNAL", "a scan whose columns are not known can't be written");
    return this.#withConnection(async (connection) => {
      try {
        return await writeVerified(
          connection,
          { ...scan, columns },
          { ...options, memoryLimitBytes: this.#memoryLimitBytes },
        );
      } catch (error) {
        await clear(options);
        throw error;
      }
    });
  }

  async setThreads(threads: number): Promise<void> {
    await this.#withConnection((connection) => connection.raw.run(`SET threads = ${Math.max(1, Math.floor(threads))}`));
  }

  startOfIncrement(
    rule: IncrementRule,
    base: StoredRows,
    options: { signal: AbortSignal },
  ): Promise<string | undefined> {
    return this.#withConnection((connection) => startOfIncrement(connection, rule, base, options));
  }

  mergeIncrement(increment: Increment, options: WriteOptions): Promise<MergedIncrement> {
    return this.#withConnection((connection) => mergeIncrement(connection, increment, options));
  }

  async #withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#closed) throw new DriverError("NOT_SERVING", "the loading engine is closed");
    const running = this.#connected(work);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const instance = this.#instance;
    try {
      using connection = await Connection.open(instance);
      // Texts without an offset must mean the same on every machine.
      await connection.raw.run("SET TimeZone = 'UTC'");
      return await work(connection);
    } catch (error) {
      if (isBroken(error)) await this.#replace(instance);
      throw error instanceof DriverError ? error : DriverError.from(error);
    }
  }

  /** DuckDB refuses everything after an internal error; loads have nothing in the instance that would be lost. */
  async #replace(broken: DuckDBInstance): Promise<void> {
    if (this.#closed || this.#instance !== broken) return;
    const fresh = await this.#open();
    if (this.#instance === broken && !this.#closed) this.#instance = fresh;
    else fresh.closeSync();
  }

  /** Waits for loads that run; whoever stops the driver cancels them first. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#running);
    this.#instance.closeSync();
  }
}

function sniffBy(connection: Connection, scan: FileScan, signal: AbortSignal): Promise<SniffResult> {
  switch (scan.kind) {
    case "csv":
      return sniffCsvFiles(connection, scan, { signal });
    case "json":
      return sniffJson(connection, scan, { signal });
    case "parquet":
      return sniffParquet(connection, scan, { signal });
  }
}

/** Loads and, at the same time, proves that compressed files are whole; either failure stops both. */
async function writeVerified(
  connection: Connection,
  scan: KnownScan,
  options: BoundedWriteOptions,
): Promise<WrittenSegments> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const both = [
    writeBy(connection, scan, { ...options, signal }),
    scan.kind === "parquet" ? undefined : verifyCompressed(scan.paths, { signal }),
  ] as const;
  try {
    const [written] = await Promise.all(both);
    return written;
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(both);
    throw error;
  }
}

function writeBy(connection: Connection, scan: KnownScan, options: BoundedWriteOptions): Promise<WrittenSegments> {
  switch (scan.kind) {
    case "csv":
      return writeCsv(connection, scan, options);
    case "json":
      return writeJson(connection, scan, options);
    case "parquet":
      return writeParquet(connection, scan, options);
  }
}

function requireKnownColumns({ columns, keep, declaredTypes }: KnownScan): void {
  const names = columns.map(({ name }) => name);
  const known = new Set(names);
  for (const [option, wanted] of [
    ["columns", keep ?? []],
    ["types", Object.keys(declaredTypes ?? {})],
  ] as const) {
    const unknown = wanted.find((name) => !known.has(name));
    if (unknown !== undefined)
      throw new DriverError(
        "UNKNOWN_COLUMN",
        `option ${option}: the source has no column ${JSON.stringify(unknown)}${suggest(unknown, names)}`,
        { metadata: { column: unknown } },
      );
  }
}

function isBroken(error: unknown): boolean {
  const cause = error instanceof DriverError ? error.cause : error;
  return cause instanceof Error && /INTERNAL Error|FATAL Error|has been invalidated/.test(cause.message);
}

async function clear({ directory, prefix }: WriteOptions): Promise<void> {
  const files = await readdir(directory).catch(() => []);
  const segments = files.filter((file) => file.startsWith(prefix));
  await Promise.all(segments.map((file) => rm(join(directory, file), { force: true, recursive: true })));
}
