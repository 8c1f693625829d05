import type { DuckDBDataChunk, DuckDBPreparedStatement, DuckDBResult } from "@duckdb/node-api";
import { DriverError } from "../../../errors/driver-error.ts";
import type { Statement } from "../../engine.ts";
import { type Connection, Interrupts } from "../connection.ts";
import type { Lease } from "../connection-pool.ts";
import { readError } from "../read-error.ts";

const MAX_INT32 = 0x7fff_ffff;

/**
 * A statement whose result is fetched chunk by chunk. The engine computes ahead until its buffer of about 1 MB is full and then
 * waits, so what isn't fetched isn't held either.
 *
 * The binding tells neither an error nor an interrupt in the middle of a stream: all look like its end. So a statement runs
 * in a transaction of its own, which an error aborts (all do but those about names, syntax and permissions, which come up
 * while a statement is bound); at the end a trivial statement shows whether it was.
 */
export class RunningStatement {
  readonly #statement: Statement;
  readonly #lease: Lease;
  readonly #signal: AbortSignal;
  readonly #result: DuckDBResult;
  #fetching: Promise<unknown> = Promise.resolve();
  #rows = 0;
  #rolledBack = false;
  #stopped: Promise<void> | undefined;

  private constructor(statement: Statement, lease: Lease, signal: AbortSignal, result: DuckDBResult) {
    this.#statement = statement;
    this.#lease = lease;
    this.#signal = signal;
    this.#result = result;
  }

  /** Starts a statement on a lent connection, which goes back by itself when the statement ends, fails or is stopped. */
  static async start(statement: Statement, lease: Lease, signal: AbortSignal): Promise<RunningStatement> {
    try {
      const result = await lease.connection.interruptible(() => execute(lease.connection, statement), { signal });
      return new RunningStatement(statement, lease, signal, result);
    } catch (error) {
      await endTransaction(lease);
      throw signal.aborted ? DriverError.from(signal.reason) : readError(error);
    }
  }

  get result(): DuckDBResult {
    return this.#result;
  }

  /** The next chunk that has rows; undefined at the end, when the connection has gone back. */
  async fetch(): Promise<DuckDBDataChunk | undefined> {
    if (this.#stopped) return undefined;
    try {
      const fetching = this.#fetchChunk();
      this.#fetching = fetching;
      const chunk = await fetching;
      this.#signal.throwIfAborted();
      if (chunk && !this.#stopped) return chunk;
      await this.stop();
      return undefined;
    } catch (error) {
      await this.stop();
      throw this.#signal.aborted ? DriverError.from(this.#signal.reason) : readError(error);
    }
  }

  /** Ends the statement if it still runs and gives the connection back. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const interrupts = new Interrupts(this.#lease.connection.raw);
    interrupts.start();
    await this.#fetching.catch(() => undefined);
    interrupts.stop();
    if (this.#rolledBack) this.#lease.release();
    else await endTransaction(this.#lease);
  }

  async #fetchChunk(): Promise<DuckDBDataChunk | undefined> {
    const { connection } = this.#lease;
    const chunk = await connection.interruptible(() => this.#result.fetchChunk(), { signal: this.#signal });
    if (chunk && chunk.rowCount > 0) {
      this.#rows += chunk.rowCount;
      return chunk;
    }
    if (!this.#stopped) await this.#verifyEnd(connection);
    return undefined;
  }

  async #verifyEnd(connection: Connection): Promise<void> {
    try {
      await connection.raw.run("SELECT 1; ROLLBACK");
      this.#rolledBack = true;
    } catch (cause) {
      this.#signal.throwIfAborted();
      if (this.#stopped) return;
      await connection.raw.run("ROLLBACK");
      await this.#findError(connection);
      throw new DriverError("QUERY_FAILED", `the engine stopped the query after ${this.#rows} rows`, { cause });
    }
  }

  /** The error is lost with the stream, so the statement is run once more without its rows, in a way that does tell. */
  async #findError(connection: Connection): Promise<void> {
    const { text, parameters } = this.#statement;
    await connection.interruptible(
      async () => {
        const prepared = await connection.raw.prepare(`EXPLAIN ANALYZE ${text}`);
        try {
          bind(prepared, parameters);
          await prepared.run();
        } finally {
          prepared.destroySync();
        }
      },
      { signal: this.#signal },
    );
  }
}

async function execute({ raw }: Connection, { text, parameters }: Statement): Promise<DuckDBResult> {
  await raw.run("BEGIN TRANSACTION READ ONLY");
  const prepared = await raw.prepare(text);
  try {
    bind(prepared, parameters);
    return await prepared.stream();
  } finally {
    prepared.destroySync();
  }
}

/** Rolling back also ends a stream that is still open and frees what it holds. */
async function endTransaction(lease: Lease): Promise<void> {
  try {
    await lease.connection.raw.run("ROLLBACK");
    lease.release();
  } catch (error) {
    // There is none if not even BEGIN was reached; anything else leaves a connection that can't be trusted.
    lease.release(!(error instanceof Error && /no transaction is active/i.test(error.message)));
  }
}

/** Whole numbers are bound as integers: as DOUBLE, the binding's default, `5` would compare inexactly with decimals. */
export function bind(prepared: DuckDBPreparedStatement, parameters: Statement["parameters"]): void {
  parameters.forEach((value, position) => {
    const index = position + 1;
    if (value === null) prepared.bindNull(index);
    else if (typeof value === "boolean") prepared.bindBoolean(index, value);
    else if (typeof value === "string") prepared.bindVarchar(index, value);
    else if (typeof value === "bigint") bindBigInt(prepared, index, value);
    else if (!Number.isSafeInteger(value) || Object.is(value, -0)) prepared.bindDouble(index, value);
    else if (Math.abs(value) <= MAX_INT32) prepared.bindInteger(index, value);
    else prepared.bindBigInt(index, BigInt(value));
  });
}

function bindBigInt(prepared: DuckDBPreparedStatement, index: number, value: bigint): void {
  if (BigInt.asIntN(64, value) === value) prepared.bindBigInt(index, value);
  else if (BigInt.asIntN(128, value) === value) prepared.bindHugeInt(index, value);
  else if (BigInt.asUintN(128, value) === value) prepared.bindUHugeInt(index, value);
  else throw new DriverError("QUERY_FAILED", `the number ${value} has more than 128 bits`);
}
