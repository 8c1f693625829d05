import { DriverError } from "../../errors/driver-error.ts";
import type { SharedSnapshot } from "../connector.ts";
import { type Login, MysqlConnection } from "./connection.ts";
import { quoteText } from "./quoting.ts";

/** Writers wait as long as this lock is asked for and held: little is asked of them. */
const LOCK_WAIT_SECONDS = 2;
const HOLD_LIMIT_MS = 15_000;

export const BEGIN_SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/**
 * Keeps a table as it is while several sessions take their snapshots of it, so that all see the same rows: neither server can
 * hand a snapshot on. LOCK TABLES waits for the transactions that have written to the table, and lets no other begin to.
 */
export class SnapshotLock implements AsyncDisposable {
  readonly #connection: MysqlConnection;
  readonly #name: string;
  readonly #timer: NodeJS.Timeout;
  #released: Promise<void> | undefined;

  private constructor(connection: MysqlConnection, name: string) {
    this.#connection = connection;
    this.#name = name;
    // Writers must not wait for a load whose workers do not come.
    this.#timer = setTimeout(() => void this.release().catch(() => undefined), HOLD_LIMIT_MS);
    this.#timer.unref();
  }

  /** Throws where the login may not lock the table, or writers hold it for too long. */
  static async take(login: Login, table: string, signal: AbortSignal): Promise<SnapshotLock> {
    const connection = await MysqlConnection.open(login, signal);
    try {
      const name = `drover-${connection.id}-${Math.random().toString(36).slice(2)}`;
      await connection.run(`SET SESSION lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
      await connection.run(`SELECT GET_LOCK(${quoteText(name)}, 0)`);
      await connection.run(`LOCK TABLES ${table} READ`);
      return new SnapshotLock(connection, name);
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What other sessions need to see the same rows. */
  get shared(): SharedSnapshot {
    return { lock: this.#name, holder: this.#connection.id };
  }

  async release(): Promise<void> {
    clearTimeout(this.#timer);
    // The name first: a session that still finds it has its snapshot from before the table was let go.
    this.#released ??= (async () => {
      await using connection = this.#connection;
      await connection.run(`SELECT RELEASE_LOCK(${quoteText(this.#name)})`);
      await connection.run("UNLOCK TABLES");
    })();
    await this.#released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => undefined);
  }
}

/** Begins a transaction that sees what the lock of another session keeps. Throws CONNECTION_FAILED where it has let go. */
export async function joinSnapshot(connection: MysqlConnection, { lock, holder }: SharedSnapshot): Promise<void> {
  await connection.run(BEGIN_SNAPSHOT);
  const [row] = await connection.run(`SELECT IS_USED_LOCK(${quoteText(String(lock))})`);
  if (row?.[0] !== String(holder))
    throw new DriverError(
      "CONNECTION_FAILED",
      "the lock that keeps one snapshot for all workers was given up too soon",
    );
}
