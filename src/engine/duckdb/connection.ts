import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBMaterializedResult,
  type DuckDBValue,
} from "@duckdb/node-api";
import type { EngineProgress } from "../types.ts";

/** Settings of a DuckDB instance by name, as `SET` takes them. */
export type InstanceSettings = Readonly<Record<string, string>>;

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: EngineProgress) => void;
}

const PROGRESS_INTERVAL_MS = 100;
const INTERRUPT_INTERVAL_MS = 10;

/** Opens an in-memory instance. Nothing can be installed or loaded into it from outside. */
export async function openInstance(settings: InstanceSettings): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    ...settings,
  });
  // DuckDB 1.5 shows this limit when it was given on opening, but only keeps to it when it is set afterwards.
  const { max_temp_directory_size: maxSpill } = settings;
  if (maxSpill === undefined) return instance;
  const connection = await instance.connect();
  try {
    await connection.run(`SET GLOBAL max_temp_directory_size = '${maxSpill}'`);
  } finally {
    connection.closeSync();
  }
  return instance;
}

/**
 * Interrupts a connection until it is told to stop. Once is not enough: DuckDB forgets an interrupt when a statement starts,
 * and one unit of work is several (parse, prepare, execute), each of which may still wait for a thread.
 */
export class Interrupts {
  readonly #raw: DuckDBConnection;
  #timer: NodeJS.Timeout | undefined;

  constructor(raw: DuckDBConnection) {
    this.#raw = raw;
  }

  start(): void {
    this.#raw.interrupt();
    this.#timer ??= setInterval(() => this.#raw.interrupt(), INTERRUPT_INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** One connection: one statement at a time, interruptible, with progress. */
export class Connection implements Disposable {
  readonly raw: DuckDBConnection;
  #closed = false;

  private constructor(raw: DuckDBConnection) {
    this.raw = raw;
  }

  static async open(instance: DuckDBInstance): Promise<Connection> {
    const raw = await instance.connect();
    // `progress` stays at -1 without the first of these; the second keeps DuckDB from drawing on the terminal.
    await raw.run("SET enable_progress_bar=true; SET enable_progress_bar_print=false; SET progress_bar_time=0");
    return new Connection(raw);
  }

  /** Runs a statement to its end. Aborting interrupts it; the promise then rejects with the signal's reason. */
  async run(sql: string, parameters: DuckDBValue[], options: RunOptions): Promise<DuckDBMaterializedResult> {
    return this.interruptible(() => this.raw.run(sql, parameters), options);
  }

  /** Runs one unit of work on this connection that `interrupt()` can stop. */
  async interruptible<T>(work: () => Promise<T>, { signal, onProgress }: RunOptions): Promise<T> {
    signal.throwIfAborted();
    const interrupts = new Interrupts(this.raw);
    const interrupt = () => interrupts.start();
    signal.addEventListener("abort", interrupt, { once: true });
    const timer = onProgress && setInterval(() => onProgress(this.progress()), PROGRESS_INTERVAL_MS);
    try {
      return await work();
    } catch (error) {
      // An interrupted statement says "INTERRUPT Error"; why it was interrupted is what the caller wants to know.
      signal.throwIfAborted();
      throw error;
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", interrupt);
      interrupts.stop();
    }
  }

  progress(): EngineProgress {
    const { percentage, rows_processed } = this.raw.progress;
    return {
      fraction: percentage < 0 ? undefined : Math.min(1, percentage / 100),
      rows: Number(rows_processed),
    };
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.raw.closeSync();
  }
}
