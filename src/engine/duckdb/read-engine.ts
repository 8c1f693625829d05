import type { DuckDBInstance } from "@duckdb/node-api";
import { DriverError } from "../../errors/driver-error.ts";
import type {
  CheckedSql,
  ParquetExport,
  ParquetFile,
  QueryOptions,
  QueryResult,
  ReadableVersion,
  ReadEngine,
  Statement,
} from "../engine.ts";
import type { Plan } from "../plan.ts";
import type { Column } from "../types.ts";
import { Connection, openInstance } from "./connection.ts";
import { ConnectionPool, type Lease } from "./connection-pool.ts";
import { describeStatement } from "./describe-statement.ts";
import { writeParquet } from "./export/write-parquet.ts";
import { readError } from "./read-error.ts";
import { reportProgress } from "./read-progress.ts";
import { renderPlan } from "./render/render-plan.ts";
import { ResidentTables } from "./resident-tables.ts";
import { RunningStatement } from "./results/running-statement.ts";
import { StreamedResult } from "./results/streamed-result.ts";
import { checkSql } from "./sandbox/check-sql.ts";
import { lockDown, type ReaderLimits, readerSettings } from "./sandbox/reader-settings.ts";
import { renderSql } from "./sandbox/render-sql.ts";
import { residentDatabase } from "./version-relation.ts";

export interface ReadEngineOptions extends ReaderLimits {
  /** The only folders whose files can be read, with all below them. */
  readonly allowedDirectories: readonly string[];
  /**
   * Statements that run at once; others wait for their turn. Default 4. Each holds a thread of libuv's pool while the engine
   * computes, so UV_THREADPOOL_SIZE should exceed it.
   */
  readonly connections?: number;
}

const DEFAULT_CONNECTIONS = 4;

/** Opens the reading engine: in memory, locked down for good, nothing on disk but the spill folder. */
export async function openReadEngine(options: ReadEngineOptions): Promise<ReadEngine> {
  const instance = await openInstance(readerSettings(options));
  try {
    const connection = await Connection.open(instance);
    await lockDown(connection.raw, options);
    return new DuckDbReadEngine(instance, connection, options.connections ?? DEFAULT_CONNECTIONS);
  } catch (error) {
    instance.closeSync();
    throw error;
  }
}

interface Reading {
  readonly text: string;
  readonly ended: Promise<void>;
}

class DuckDbReadEngine implements ReadEngine {
  readonly #instance: DuckDBInstance;
  /** For the tables in memory, so that filling them takes no connection from queries. */
  readonly #own: Connection;
  readonly #pool: ConnectionPool;
  readonly #residents = new ResidentTables();
  readonly #readings = new Set<Reading>();
  readonly #closing = new AbortController();
  #filling = 0;
  #closed: Promise<void> | undefined;

  constructor(instance: DuckDBInstance, own: Connection, connections: number) {
    this.#instance = instance;
    this.#own = own;
    this.#pool = new ConnectionPool(() => Connection.open(instance), connections);
  }

  get active(): number {
    return this.#pool.leased + this.#filling;
  }

  render(plan: Plan, resolve: (dataset: string, version: number) => ReadableVersion): Statement {
    return renderPlan(plan, resolve);
  }

  async checkSql(sql: string, { signal }: { signal: AbortSignal }): Promise<CheckedSql> {
    return this.#borrow(signal, ({ connection }) => checkSql(connection, sql, { signal }));
  }

  renderSql(checked: CheckedSql, parameters: Statement["parameters"], versions: readonly ReadableVersion[]): Statement {
    return renderSql(checked, parameters, versions);
  }

  async describe(statement: Statement, { signal }: { signal: AbortSignal }): Promise<readonly Column[]> {
    return this.#borrow(signal, ({ connection }) =>
      connection.interruptible(() => describeStatement(connection, statement), { signal }),
    );
  }

  async query(statement: Statement, options: QueryOptions): Promise<QueryResult> {
    const reading = this.#startReading(statement.text);
    const linked = { ...options, signal: AbortSignal.any([options.signal, this.#closing.signal]) };
    let progress: Disposable | undefined;
    const end = () => {
      progress?.[Symbol.dispose]();
      reading.end();
    };
    try {
      const lease = await this.#acquire(linked.signal);
      progress = options.onProgress && reportProgress(lease.connection, options.onProgress);
      const running = await RunningStatement.start(statement, lease, linked.signal);
      return await openResult(running, linked, end);
    } catch (error) {
      end();
      throw error;
    }
  }

  async exportParquet(statement: Statement, options: ParquetExport): Promise<ParquetFile> {
    const reading = this.#startReading(statement.text);
    try {
      const signal = AbortSignal.any([options.signal, this.#closing.signal]);
      return await this.#borrow(signal, ({ connection }) =>
        writeParquet(connection, statement, { ...options, signal }),
      );
    } finally {
      reading.end();
    }
  }

  async makeResident(table: string, version: ReadableVersion, { signal }: { signal: AbortSignal }): Promise<number> {
    this.#filling++;
    try {
      const linked = AbortSignal.any([signal, this.#closing.signal]);
      return await this.#residents.make(this.#own, table, version, { signal: linked });
    } catch (error) {
      throw DriverError.from(error);
    } finally {
      this.#filling--;
    }
  }

  async dropResident(table: string): Promise<void> {
    const database = residentDatabase(table);
    const readers = [...this.#readings].filter(({ text }) => text.includes(database));
    await Promise.all(readers.map(({ ended }) => ended));
    await this.#residents.drop(this.#own, table);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(new DriverError("DRIVER_STOPPED", "the engine was closed while the statement ran"));
    await this.#pool[Symbol.asyncDispose]();
    await this.#residents.idle();
    this.#own[Symbol.dispose]();
    this.#instance.closeSync();
  }

  #startReading(text: string): { readonly end: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const reading: Reading = { text, ended: promise };
    this.#readings.add(reading);
    return {
      end: () => {
        this.#readings.delete(reading);
        resolve();
      },
    };
  }

  async #acquire(signal: AbortSignal): Promise<Lease> {
    try {
      return await this.#pool.acquire(signal);
    } catch (error) {
      throw DriverError.from(error);
    }
  }

  /** Uses a connection for something short that leaves no statement open. */
  async #borrow<T>(signal: AbortSignal, work: (lease: Lease) => Promise<T>): Promise<T> {
    const lease = await this.#acquire(signal);
    try {
      return await work(lease);
    } catch (error) {
      throw signal.aborted ? DriverError.from(signal.reason) : readError(error);
    } finally {
      lease.release();
    }
  }
}

/** Ends the statement again if its result can't be given, or is no longer wanted. */
async function openResult(running: RunningStatement, options: QueryOptions, end: () => void): Promise<QueryResult> {
  try {
    const result = new StreamedResult(running, options, end);
    options.signal.throwIfAborted();
    return result;
  } catch (error) {
    await running.stop();
    throw DriverError.from(error);
  }
}
