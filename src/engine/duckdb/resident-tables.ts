import { DriverError } from "../../errors/driver-error.ts";
import type { ReadableVersion } from "../engine.ts";
import type { Connection } from "./connection.ts";
import { quoteIdentifier } from "./quoting.ts";
import { readError } from "./read-error.ts";
import { residentDatabase, residentTable, segmentsRelation } from "./version-relation.ts";

/**
 * Versions in memory: an attached database for each, so that filling one never meets a reader (DuckDB refuses a CHECKPOINT
 * beside any transaction that touched the database) and dropping it gives everything back (measured with 10 M rows: 200 MB in
 * the engine, back to the level before within a second). CHECKPOINT after each segment compresses what is there, so the
 * peak stays at one uncompressed segment above the result.
 */
export class ResidentTables {
  readonly #bytes = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  /** Fills a table. One at a time; the others wait, also for the memory to be measured. Leaves nothing behind if it fails. */
  async make(
    connection: Connection,
    table: string,
    version: ReadableVersion,
    options: { signal: AbortSignal },
  ): Promise<number> {
    const turn = this.#last.then(() => this.#fill(connection, table, version, options));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Frees a table that nobody reads. */
  async drop(connection: Connection, table: string): Promise<void> {
    const turn = this.#last.then(async () => {
      if (!this.#bytes.has(table)) return;
      await connection.raw.run(`DETACH ${residentDatabase(table)}`);
      this.#bytes.delete(table);
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Settles when nothing is filled or dropped any more. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #fill(
    connection: Connection,
    table: string,
    version: ReadableVersion,
    options: { signal: AbortSignal },
  ): Promise<number> {
    options.signal.throwIfAborted();
    if (this.#bytes.has(table)) throw new DriverError("INTERNAL", `the table ${table} is in memory already`);
    await connection.raw.run(`ATTACH ':memory:' AS ${residentDatabase(table)} (COMPRESS)`);
    try {
      await this.#copySegments(connection, table, version, options);
      const bytes = Math.max(0, (await tableBytes(connection)) - this.#total());
      this.#bytes.set(table, bytes);
      return bytes;
    } catch (error) {
      await connection.raw.run(`DETACH ${residentDatabase(table)}`);
      throw options.signal.aborted ? DriverError.from(options.signal.reason) : readError(error);
    }
  }

  async #copySegments(
    connection: Connection,
    table: string,
    { columns, segmentPaths }: ReadableVersion,
    options: { signal: AbortSignal },
  ): Promise<void> {
    const definitions = columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`).join(", ");
    const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
    await connection.run(`CREATE TABLE ${residentTable(table)} (${definitions})`, [], options);
    for (const path of segmentPaths) {
      const insert = `INSERT INTO ${residentTable(table)} SELECT ${names} FROM ${segmentsRelation([path])}`;
      await connection.run(insert, [], options);
      await connection.run(`CHECKPOINT ${residentDatabase(table)}`, [], options);
    }
  }

  #total(): number {
    let sum = 0;
    for (const bytes of this.#bytes.values()) sum += bytes;
    return sum;
  }
}

/** What all tables in memory take now. DuckDB does not tell it by table. */
async function tableBytes(connection: Connection): Promise<number> {
  const reader = await connection.raw.runAndReadAll(
    "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'",
  );
  return Number(reader.getRows()[0]?.[0] ?? 0);
}
