import { once } from "node:events";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { Client, QueryArrayResult } from "pg";
import { DriverError } from "../../errors/driver-error.ts";
import { clientLibrary } from "../client-libraries.ts";
import { tlsOptions } from "../database/tls-files.ts";
import { cancelStatement, type StatementPlace } from "./cancel.ts";
import { DescribeQuery } from "./describe-query.ts";
import { lacksTls, postgresError, type ServerFacts, sqlStateOf } from "./errors.ts";
import { internals, type PgField } from "./internals.ts";
import type { PostgresServer } from "./options.ts";

export type Row = readonly (string | null)[];

export interface ConnectOptions {
  readonly server: PostgresServer;
  readonly facts: ServerFacts;
  readonly fileRoots: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

/** Every value as the server's text: numbers, times and decimals of JavaScript would lose something. */
const asText = { getTypeParser: () => (value: string) => value };
const CLOSE_LIMIT_MS = 1_000;

const pg = await clientLibrary("pg");
const { to: copyTo } = await clientLibrary("pg-copy-streams");
const Cursor = await clientLibrary("pg-cursor");

/**
 * One session with a server. Aborting its signal ends what it runs, also in the database, and the session with it. All
 * statements throw the errors of the catalogue.
 */
export class PostgresConnection implements AsyncDisposable {
  readonly place: StatementPlace;
  readonly #client: Client;
  readonly #tls: ConnectionOptions | undefined;
  readonly #facts: ServerFacts;
  readonly #signal: AbortSignal;
  /** Why the session can't be used any more. */
  #broken: unknown;
  #closed = false;
  readonly #stop = () => this.#end();

  private constructor(
    client: Client,
    host: { readonly host: string; readonly port: number },
    tls: ConnectionOptions | undefined,
    { facts, signal }: ConnectOptions,
  ) {
    const { processID, secretKey } = internals(client);
    this.place = { ...host, pid: processID, key: secretKey };
    this.#client = client;
    this.#tls = tls;
    this.#facts = facts;
    this.#signal = signal;
    client.on("error", (error) => {
      this.#broken ??= error;
    });
    signal.addEventListener("abort", this.#stop);
  }

  /** Logs in to the first host that will do. Throws CONNECTION_FAILED, CONNECTION_TLS_FAILED, LOGIN_REFUSED. */
  static async open(options: ConnectOptions): Promise<PostgresConnection> {
    const { hosts, session } = options.server;
    let failure: DriverError | undefined;
    // Where a standby is preferred, a primary is taken only after all have been asked.
    const passes = session === "prefer-standby" ? (["standby", "any"] as const) : ([session] as const);
    for (const wanted of passes)
      for (const host of hosts) {
        options.signal.throwIfAborted();
        try {
          const connection = await PostgresConnection.#openAt(host, options);
          if (await connection.#isWanted(wanted)) return connection;
          await connection[Symbol.asyncDispose]();
          failure ??= new DriverError("CONNECTION_FAILED", `${options.facts.name}: no host is a ${wanted}`, {
            metadata: { connection: options.facts.name, session: wanted },
          });
        } catch (error) {
          options.signal.throwIfAborted();
          failure = postgresError(error, options.facts);
          if (failure.reason !== "CONNECTION_FAILED") throw failure;
        }
      }
    throw failure ?? new DriverError("INTERNAL", "a connection without hosts");
  }

  static async #openAt(host: { readonly host: string; readonly port: number }, options: ConnectOptions) {
    const { server, fileRoots } = options;
    const isSocket = host.host.startsWith("/");
    const tls = isSocket ? undefined : await tlsOptions(server.tls, { host: host.host, fileRoots });
    try {
      return await PostgresConnection.#logIn(host, tls, options);
    } catch (error) {
      if (tls === undefined || server.tls.mode !== "prefer" || !lacksTls(error)) throw error;
      return await PostgresConnection.#logIn(host, undefined, options);
    }
  }

  static async #logIn(
    host: { readonly host: string; readonly port: number },
    tls: ConnectionOptions | undefined,
    options: ConnectOptions,
  ): Promise<PostgresConnection> {
    const { server, facts, signal } = options;
    const client = new pg.Client({
      ...host,
      database: server.database,
      user: server.user,
      // A function keeps pg from looking into the environment and ~/.pgpass.
      password: () => facts.password ?? "",
      ssl: tls ?? false,
      application_name: server.applicationName,
      connectionTimeoutMillis: server.connectTimeoutMs,
      keepAlive: true,
    });
    const destroy = () => void internals(client).connection.stream.destroy();
    signal.addEventListener("abort", destroy);
    try {
      await client.connect();
      return new PostgresConnection(client, host, tls, options);
    } catch (error) {
      // pg leaves it open where the login fails.
      client.on("error", () => undefined);
      destroy();
      throw error;
    } finally {
      signal.removeEventListener("abort", destroy);
    }
  }

  /** The TLS protocol in use; undefined without. */
  get tlsProtocol(): string | undefined {
    const { stream } = internals(this.#client).connection;
    return "getProtocol" in stream ? ((stream as TLSSocket).getProtocol() ?? undefined) : undefined;
  }

  /** Whether the session goes on after an error. */
  get usable(): boolean {
    return this.#broken === undefined && !this.#closed;
  }

  /** Runs statements; answers the rows of the last one as text. Several need to be without `values`. */
  async run(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#guarded(async () => {
      const result: unknown = await this.#client.query({
        text: sql,
        rowMode: "array",
        types: asText,
        ...(values.length > 0 && { values: [...values] }),
      });
      const last = (Array.isArray(result) ? result.at(-1) : result) as QueryArrayResult<(string | null)[]>;
      return last.rows;
    });
  }

  /** The columns that one statement would give; undefined where it gives no rows. It takes no second statement. */
  async describe(sql: string): Promise<readonly PgField[] | undefined> {
    return this.#guarded(() => this.#client.query(new DescribeQuery(sql)).result);
  }

  /** The CSV of `COPY … TO STDOUT`. Leaving it early ends the session. */
  async *copy(sql: string): AsyncGenerator<Uint8Array, void> {
    this.#requireUsable();
    const stream = this.#client.query(copyTo(sql, { highWaterMark: 1 << 20 }));
    let whole = false;
    try {
      for await (const chunk of stream) yield chunk as Uint8Array;
      // The stream ends with the last row, also where the command fails after it; the next statement comes after its end.
      await this.#client.query("SELECT 1");
      whole = true;
    } catch (error) {
      // The server's own error ends the command, not the session.
      whole = sqlStateOf(error) !== undefined;
      throw this.#failure(error);
    } finally {
      if (!whole) this.#end();
    }
  }

  /** Rows by a cursor, some at a time, every value as text. Leaving it early ends the session. */
  async *rows(sql: string, count: (batch: readonly Row[]) => number): AsyncGenerator<readonly Row[], void> {
    this.#requireUsable();
    const cursor = this.#client.query(new Cursor<Row>(sql, [], { rowMode: "array", types: asText }));
    let whole = false;
    try {
      let wanted = count([]);
      for (;;) {
        const batch = await cursor.read(wanted);
        if (batch.length === 0) break;
        yield batch;
        wanted = count(batch);
      }
      await cursor.close();
      whole = true;
    } catch (error) {
      whole = sqlStateOf(error) !== undefined;
      throw this.#failure(error);
    } finally {
      if (!whole) this.#end();
    }
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    this.#requireUsable();
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #requireUsable(): void {
    this.#signal.throwIfAborted();
    if (this.#broken !== undefined || this.#closed)
      throw this.#failure(this.#broken ?? new Error("the session has ended"));
  }

  /** Why a statement failed: what stopped the work comes before what it made of its end. */
  #failure(error: unknown): Error {
    if (this.#signal.aborted) return this.#signal.reason;
    return postgresError(error, this.#facts);
  }

  async #isWanted(wanted: PostgresServer["session"]): Promise<boolean> {
    if (wanted === "any") return true;
    const [row] = await this.run("SELECT pg_catalog.pg_is_in_recovery()");
    return (row?.[0] === "t") === (wanted !== "primary");
  }

  /**
   * Ends what runs and the session. Both at once: a server that computes learns of it by the request, one that waits for us
   * to read by the socket.
   */
  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    cancelStatement(this.place, { tls: this.#tls }).catch(() => undefined);
    internals(this.#client).connection.stream.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stop);
    if (this.#closed) return;
    this.#closed = true;
    const { stream } = internals(this.#client).connection;
    const closed = stream.closed ? undefined : once(stream, "close", { signal: AbortSignal.timeout(CLOSE_LIMIT_MS) });
    await Promise.all([this.#client.end(), closed]).catch(() => undefined);
    stream.destroy();
  }
}
