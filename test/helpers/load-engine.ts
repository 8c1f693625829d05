import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { openLoadEngine } from "../../src/engine/duckdb/load/load-engine.ts";
import type { LoadEngine, LoadProgress } from "../../src/engine/engine.ts";
import type { FileScan, SegmentLimits, WrittenSegments } from "../../src/engine/file-scan.ts";
import { TypeContradiction } from "../../src/engine/type-contradiction.ts";
import { DriverError } from "../../src/errors/driver-error.ts";
import type { SourceContext } from "../../src/sources/connector.ts";
import { loadConnector } from "../../src/sources/connectors.ts";
import { chooseKind, sourceKinds } from "../../src/sources/kinds.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Why tests cancel. */
export const CANCELLED = new DriverError("CANCELLED", "the test cancelled it");

export const LIMITS: SegmentLimits = { maxRows: 1_000_000, maxBytes: 256 << 20, maxRowGroupBytes: 64 << 20 };

export interface Loaded extends WrittenSegments {
  readonly warnings: readonly string[];
  readonly restarts: number;
  readonly types: Readonly<Record<string, string>>;
  /** All rows as DuckDB writes them in JSON, in the order of the given SQL. */
  readonly values: readonly (readonly unknown[])[];
  readonly directory: string;
}

export interface LoadOptions {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly format?: string;
  readonly fileRoots?: readonly string[];
  readonly limits?: SegmentLimits;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly orderBy?: string;
  readonly parsers?: SourceContext["parsers"];
}

/** A loading engine in a folder of its own, and what tests do with it: connector, sniff, write, read back. */
export class LoadLab implements AsyncDisposable {
  readonly path: string;
  readonly engine: LoadEngine;
  readonly #folder: AsyncDisposable;
  readonly #instance: DuckDBInstance;
  readonly #reader: DuckDBConnection;
  #count = 0;

  private constructor(
    folder: AsyncDisposable & { readonly path: string },
    engine: LoadEngine,
    instance: DuckDBInstance,
    reader: DuckDBConnection,
  ) {
    this.path = folder.path;
    this.engine = engine;
    this.#folder = folder;
    this.#instance = instance;
    this.#reader = reader;
  }

  static async open(memoryLimitBytes = 1_000_000_000): Promise<LoadLab> {
    const folder = await temporaryFolder();
    const engine = await openLoadEngine({
      memoryLimitBytes,
      threads: 2,
      spillDirectory: join(folder.path, "spill"),
      maxSpillBytes: 1_000_000_000,
    });
    const instance = await DuckDBInstance.create(":memory:");
    const reader = await instance.connect();
    await reader.run("SET TimeZone='UTC'");
    return new LoadLab(folder, engine, instance, reader);
  }

  /** Writes a file into the lab's folder; answers its path. */
  async file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.path, name);
    await writeFile(path, content);
    return path;
  }

  async folder(): Promise<string> {
    const path = join(this.path, `folder-${this.#count++}`);
    await mkdir(path);
    return path;
  }

  async resolve(
    uri: string,
    { options = {}, format, fileRoots, signal, parsers }: LoadOptions = {},
  ): Promise<FileScan> {
    const { kind } = chooseKind(sourceKinds, { uri, format });
    const context: SourceContext = {
      signal: signal ?? new AbortController().signal,
      fileRoots,
      workDirectory: await this.folder(),
      statement: async () => ({ [Symbol.dispose]: () => undefined }),
      ...(parsers && { parsers }),
    };
    await using session = await (await loadConnector(kind)).open({ kind, uri, options }, context);
    const plan = await session.plan({ maxPartitions: 1, preview: false });
    const content = await session.read(plan.partitions[0] ?? {});
    if (content.form !== "files") throw new Error(`${kind} gives ${content.form}`);
    return content.scan;
  }

  /** The whole way from a path to values. */
  async load(uri: string, asked: LoadOptions = {}): Promise<Loaded> {
    const signal = asked.signal ?? new AbortController().signal;
    const sniffed = await this.engine.sniff(await this.resolve(uri, asked), { signal });
    const warnings = [...sniffed.warnings];
    let scan = sniffed.scan;
    const directory = await this.folder();
    for (let restarts = 0; ; restarts++) {
      try {
        const written = await this.engine.writeSegments(scan, {
          signal,
          directory,
          prefix: "segment-",
          limits: asked.limits ?? LIMITS,
          ...(asked.onProgress && { onProgress: asked.onProgress }),
        });
        const types = Object.fromEntries(written.columns.map(({ name, type }) => [name, type]));
        const values = written.rows > 20_000 ? [] : await this.values(directory, written, asked.orderBy);
        return { ...written, warnings, restarts, types, values, directory };
      } catch (error) {
        if (!(error instanceof TypeContradiction) || restarts > 2) throw error;
        warnings.push(...error.warnings);
        scan = error.scan;
      }
    }
  }

  /** Loads a text as a file of this ending. */
  async loadText(text: string | Uint8Array, asked: LoadOptions & { ending?: string } = {}): Promise<Loaded> {
    return this.load(await this.file(`text-${this.#count++}.${asked.ending ?? "csv"}`, text), asked);
  }

  /** The error that loading ends with. */
  async failure(uri: string, asked: LoadOptions = {}): Promise<DriverError> {
    return failureOf(this.load(uri, asked));
  }

  async textFailure(text: string | Uint8Array, asked: LoadOptions & { ending?: string } = {}): Promise<DriverError> {
    return failureOf(this.loadText(text, asked));
  }

  async query(sql: string): Promise<readonly (readonly unknown[])[]> {
    return (await this.#reader.runAndReadAll(sql)).getRowsJson();
  }

  async values(directory: string, written: WrittenSegments, orderBy = "ALL"): Promise<readonly (readonly unknown[])[]> {
    if (written.segments.length === 0) return [];
    const files = written.segments.map(({ file }) => `'${join(directory, file)}'`).join(", ");
    return this.query(`FROM read_parquet([${files}]) ORDER BY ${orderBy}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.closeSync();
    this.#instance.closeSync();
    await this.engine[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** The error that some work ends with. */
export async function failureOf(load: Promise<unknown>): Promise<DriverError> {
  try {
    await load;
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error("the load succeeded");
}

/** Whether a path exists. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
