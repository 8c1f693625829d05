import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBInstance } from "@duckdb/node-api";
import { suggest } from "../../../config/suggest.ts";
import { DriverError } from "../../../errors/driver-error.ts";
import { verifyCompressed } from "../../byte-stream.ts";
import type { LoadEngine, LoadEngineOptions, Preview, PreviewOptions, WriteOptions } from "../../engine.ts";
import type { FileScan, ScanColumn, SniffResult, WrittenSegments } from "../../file-scan.ts";
import type { Increment, IncrementRule, MergedIncrement, StoredRows } from "../../increment.ts";
import { Connection, openInstance } from "../connection.ts";
import { writeCsv } from "./csv-load.ts";
import { longLineWatch } from "./csv-long-lines.ts";
import type { KnownScan } from "./csv-scan.ts";
import { sniffCsvFiles } from "./csv-sniff.ts";
import { startOfIncrement } from "./increment-start.ts";
import { writeJson } from "./json-load.ts";
import { sniffJson } from "./json-sniff.ts";
import { mergeIncrement } from "./merge-increment.ts";
import { sniffParquet, writeParquet } from "./parquet-load.ts";
import { previewScan } from "./preview.ts";
import { prepareParsers } from "./value-parsers.ts";

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

const MAX_SAMPLES = 100;

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
    return this.#withConnection((connection) => sniffed(connection, scan, signal));
  }

  preview(scan: FileScan, options: PreviewOptions): Promise<Preview> {
    return this.#withConnection(async (connection) => {
      const { scan: known, warnings } = await sniffed(connection, scan, options.signal);
      return { ...(await previewScan(connection, scan, known, options)), warnings };
    });
  }

  writeSegments(scan: FileScan, options: WriteOptions): Promise<WrittenSegments> {
    const { columns } = scan;
    if (columns === undefined) throw new DriverError("INTERNAL", "a scan whose columns are not known can't be written");
    return this.#withConnection(async (connection) => {
      try {
        const known = await prepareParsers(connection, { ...scan, columns }, options);
        return await writeVerified(connection, known, { ...options, memoryLimitBytes: this.#memoryLimitBytes });
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

/** A scan whose columns are known, with their parsers ready to run on this connection. */
async function sniffed(connection: Connection, scan: FileScan, signal: AbortSignal): Promise<SniffResult> {
  const { parsers = {}, found: made = {} } = scan;
  const names = [...Object.keys(parsers), ...Object.keys(made)];
  // Nothing is inferred of texts that are not the values.
  const asText = Object.fromEntries(names.map((name) => [name, "VARCHAR"]));
  const asked = names.length === 0 ? scan : { ...scan, declaredTypes: { ...scan.declaredTypes, ...asText } };
  const { scan: found, warnings } = await sniffBy(connection, asked, signal);
  const known = requireKnownColumns(names.length === 0 ? found : withParsers(found, scan));
  return { scan: await prepareParsers(connection, known, { signal }), warnings };
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
    scan.kind === "parquet" ? undefined : verifyCompressed(scan.paths, { signal, ...watchOf(scan) }),
  ] as const;
  try {
    const [written] = await Promise.all(both);
    return withRejected(written, scan);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(both);
    throw error;
  }
}

function watchOf(scan: KnownScan): { readonly watch?: (path: string) => (chunk: Buffer) => void } {
  return scan.kind === "csv" ? { watch: longLineWatch(scan) } : {};
}

/** The rows that the connector has left out count with those of the engine. */
function withRejected(written: WrittenSegments, { rejected }: FileScan): WrittenSegments {
  if (rejected === undefined) return written;
  return {
    ...written,
    rejectedRows: written.rejectedRows + rejected.rows,
    rejectedSamples: [...rejected.samples, ...written.rejectedSamples].slice(0, MAX_SAMPLES),
  };
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

/** The columns with their parsers, or with what other parsers have made of them; declared types go before. */
function withParsers(found: KnownScan, { parsers = {}, found: made = {}, declaredTypes = {} }: FileScan): KnownScan {
  const of = <T>(map: Readonly<Record<string, T>>, name: string) => (Object.hasOwn(map, name) ? map[name] : undefined);
  const columns = found.columns.map((column): ScanColumn => {
    const declared = of(declaredTypes, column.name);
    const sql = of(parsers, column.name);
    if (sql !== undefined)
      return {
        ...{ ...column, type: declared ?? "VARCHAR", origin: "declared" },
        parser: { sql, declared: declared !== undefined },
      };
    const known = of(made, column.name);
    if (known === undefined) return column;
    if (declared === undefined) return { ...column, ...known };
    if (known.encoding === undefined && !known.type.endsWith("[]"))
      return { ...column, type: declared, origin: "declared" };
    throw new DriverError("LOAD_TYPE_MISMATCH", `column ${JSON.stringify(column.name)} is a list, not ${declared}`, {
      metadata: { column: column.name, type: declared },
    });
  });
  const { declaredTypes: _, ...rest } = found;
  return { ...rest, columns, declaredTypes };
}

/** Throws UNKNOWN_COLUMN where an option names a column that the source does not have. */
function requireKnownColumns(scan: KnownScan): KnownScan {
  const { columns, keep, declaredTypes, parsers } = scan;
  const names = columns.map(({ name }) => name);
  const known = new Set(names);
  for (const [option, wanted] of [
    ["columns", keep ?? []],
    ["types", Object.keys(declaredTypes ?? {})],
    ["parsers", Object.keys(parsers ?? {})],
  ] as const) {
    const unknown = wanted.find((name) => !known.has(name));
    if (unknown !== undefined)
      throw new DriverError(
        "UNKNOWN_COLUMN",
        `option ${option}: the source has no column ${JSON.stringify(unknown)}${suggest(unknown, names)}`,
        { metadata: { column: unknown } },
      );
  }
  return scan;
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
