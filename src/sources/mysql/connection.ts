import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Connection, ConnectionOptions, FieldPacket, Query } from "mysql2";
import { DriverError } from "../../errors/driver-error.ts";
import { clientLibrary } from "../client-libraries.ts";
import type { Server, Source, StatementEnding } from "../connector.ts";
import { handedTls } from "../database/connection-options.ts";
import { tlsOptions } from "../database/tls-files.ts";
import { lacksTls, mysqlError, type ServerFacts } from "./errors.ts";
import { type MysqlServer, serverOf } from "./options.ts";
import type { FieldDefinition } from "./types.ts";

/** How long the end of a statement may take that nobody waits for any more. */
const KILL_LIMIT_MS = 5_000;
const GOODBYE_LIMIT_MS = 2_000;
const BINARY_CHARSET = 63;

const { createConnection } = await clientLibrary("mysql2");

/** A server with its login, and what connecting to it needs. */
export interface Login extends ServerFacts {
  readonly server: MysqlServer;
  readonly fileRoots: readonly string[] | undefined;
}

/** Throws what `serverOf` throws. */
export function loginOf(
  server: Server,
  { handed, fileRoots }: Pick<Source, "handed"> & { readonly fileRoots: readonly string[] | undefined },
): Login {
  const asked = serverOf(server);
  const tls = handedTls(asked.tls, { handed });
  return { server: { ...asked, tls }, name: server.name, password: server.password, fileRoots };
}

export type TextRow = readonly (string | null)[];

/**
 * A connection whose statements end in the server as well when its signal is aborted. One statement runs at a time. It reads
 * only, in UTC and UTF-8, whatever the server's defaults are.
 */
export class MysqlConnection implements AsyncDisposable {
  /** The server's id of it. */
  readonly id: number;
  readonly encrypted: boolean;
  /** The login at the one host that has answered. */
  readonly login: Login;
  readonly #server: string;
  readonly #connection: Connection;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  readonly #mark: string;
  #kills: Promise<void> | undefined;
  #broken: unknown;

  private constructor(
    connection: Connection,
    facts: { id: number; encrypted: boolean; server: string },
    login: Login,
    signal: AbortSignal,
  ) {
    this.#connection = connection;
    this.id = facts.id;
    this.encrypted = facts.encrypted;
    this.#server = facts.server;
    this.login = login;
    this.#signal = signal;
    this.#mark = `drover ${randomBytes(8).toString("hex")}`;
    this.#onAbort = () => void this.stop();
    signal.addEventListener("abort", this.#onAbort);
    connection.on("error", (error) => (this.#broken ??= error));
  }

  /** Tries the hosts in their order. Throws CONNECTION_FAILED, CONNECTION_TLS_FAILED, LOGIN_REFUSED. */
  static async open(login: Login, signal: AbortSignal): Promise<MysqlConnection> {
    const { connection, encrypted, host } = await connectAnywhere(login, signal);
    const here = atHost(login, host);
    const limit = AbortSignal.timeout(login.server.connectTimeoutMs);
    const stop = AbortSignal.any([signal, limit]);
    try {
      for (const sql of SESSION) await run(connection, sql, stop, here);
      const [row] = await run(connection, `SELECT CONNECTION_ID(), ${SERVER}`, stop, here);
      return new MysqlConnection(connection, { id: Number(row?.[0]), encrypted, server: row?.[1] ?? "" }, here, signal);
    } catch (error) {
      connection.destroy();
      if (signal.aborted || !limit.aborted) throw error;
      throw new DriverError(
        "CONNECTION_FAILED",
        `${login.name}: the server has taken the login and then said nothing`,
        {
          metadata: { connection: login.name },
        },
      );
    }
  }

  /** What ends a statement of this connection from outside, and what tells that it is one of this connection. */
  get ending(): StatementEnding {
    const [{ host, port } = { host: "", port: 0 }] = this.login.server.hosts;
    return { id: this.id, mark: this.#mark, host, port };
  }

  /** Marks a statement as one of this connection's. */
  marked(sql: string): string {
    return `/* ${this.#mark} */ ${sql}`;
  }

  /** Runs a statement with few rows; every value as text. */
  run(sql: string): Promise<readonly TextRow[]> {
    this.#signal.throwIfAborted();
    return this.#orAbort(run(this.#connection, this.marked(sql), this.#signal, this.login));
  }

  /** The columns of a statement that gives no rows. */
  async fields(sql: string): Promise<readonly FieldDefinition[]> {
    this.#signal.throwIfAborted();
    const options = { sql: this.marked(sql), rowsAsArray: true, typeCast: false as const, ...NO_GENERATED_PARSER };
    return this.#orAbort(
      new Promise<readonly FieldDefinition[]>((resolve, reject) =>
        this.#connection.query(options, (error, _rows, fields) =>
          error ? reject(mysqlError(error, this.login)) : resolve(fields.map(definitionOf)),
        ),
      ),
    );
  }

  /** Throws SOURCE_QUERY_FAILED where the server would not take a text as one statement by itself. Does not run it. */
  prepare(sql: string): Promise<void> {
    return this.#orAbort(
      new Promise<void>((resolve, reject) =>
        this.#connection.prepare(sql, (error, statement) => {
          if (error) return reject(mysqlError(error, this.login));
          statement.close();
          resolve();
        }),
      ),
    );
  }

  /** Starts a statement with many rows; `read-rows.ts` takes them. */
  start(sql: string, options: { readonly raw: boolean }): RunningQuery {
    this.#signal.throwIfAborted();
    const query = this.#connection.query({
      sql: this.marked(sql),
      rowsAsArray: true,
      typeCast: options.raw ? false : exactValue,
    });
    return { query, connection: this.#connection, failed: (error) => this.#failure(error) };
  }

  /** Tells when the work has been cancelled; answers what takes that back. */
  whenAborted(tell: (reason: unknown) => void): () => void {
    const listener = () => tell(this.#signal.reason);
    this.#signal.addEventListener("abort", listener);
    return () => this.#signal.removeEventListener("abort", listener);
  }

  /** Ends the statement that runs, in the server as well, and the connection with it. */
  async stop(): Promise<void> {
    if (this.#kills === undefined) {
      this.#kills = killConnection(this.login, this.id, this.#server).catch(() => undefined);
      this.#connection.destroy();
    }
    await this.#kills;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#onAbort);
    if (this.#kills !== undefined) await this.#kills;
    else if (this.#broken === undefined) await goodbye(this.#connection);
    this.#connection.destroy();
  }

  #failure(error: unknown): unknown {
    return this.#signal.aborted ? this.#signal.reason : mysqlError(error, this.login);
  }

  /** What a cancelled statement makes of its end does not matter, nor does it answer after `destroy`. */
  #orAbort<T>(work: Promise<T>): Promise<T> {
    return orAbort(work, this.#signal);
  }
}

/** A statement whose rows arrive. */
export interface RunningQuery {
  readonly query: Query;
  readonly connection: Connection;
  /** What went wrong, with a reason. */
  failed(error: unknown): unknown;
}

/**
 * Stops a statement by another connection, if the mark says that it still is the one. A server counts its connections from the
 * start again when it is started again.
 */
export async function endMarked(login: Login, ending: StatementEnding, signal: AbortSignal): Promise<void> {
  const { id, mark, host, port } = ending;
  const there = atHost(login, { host: String(host), port: Number(port) });
  await using connection = await MysqlConnection.open(there, signal);
  const like = `LOCATE('/* ${String(mark).replaceAll(/[^\w ]/g, "")} */', info) > 0`;
  const found = await connection.run(
    `SELECT id FROM information_schema.processlist WHERE id = ${Number(id)} AND ${like}`,
  );
  if (found.length > 0) await connection.run(`KILL ${Number(id)}`).catch(ignoreUnknownThread);
}

/** Behind one name may be several servers: on another one the number is somebody else's. */
async function killConnection(login: Login, id: number, server: string): Promise<void> {
  const signal = AbortSignal.timeout(KILL_LIMIT_MS);
  await using connection = await MysqlConnection.open(login, signal);
  const [row] = await connection.run(`SELECT ${SERVER}`);
  if (row?.[0] !== server) return;
  await connection.run(`KILL ${id}`).catch(ignoreUnknownThread);
}

function ignoreUnknownThread(error: unknown): void {
  if (error instanceof DriverError && error.metadata.code === "ER_NO_SUCH_THREAD") return;
  throw error;
}

/** Tells one server from another. */
const SERVER = "CONCAT(@@hostname, ':', @@port)";

function atHost(login: Login, host: MysqlServer["hosts"][number]): Login {
  return { ...login, server: { ...login.server, hosts: [host] } };
}

const SESSION: readonly string[] = [
  // The server may ignore the character set of the handshake (`skip-character-set-client-handshake`).
  "SET NAMES utf8mb4",
  [
    "SET SESSION time_zone = '+00:00'",
    // A server-wide limit would cut results off without a word.
    "sql_select_limit = 18446744073709551615",
    // Rows wait in the socket while the engine writes; the default of a minute is too little.
    "net_write_timeout = 86400",
    `sql_mode = ${modesWithout("NO_BACKSLASH_ESCAPES", "PAD_CHAR_TO_FULL_LENGTH")}`,
  ].join(", "),
  "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
  "SET SESSION TRANSACTION READ ONLY",
];

/** The session's modes without some that change how texts are read or written. */
function modesWithout(...modes: readonly string[]): string {
  const listed = "CONCAT(',', @@SESSION.sql_mode, ',')";
  return `TRIM(BOTH ',' FROM ${modes.reduce((sql, mode) => `REPLACE(${sql}, ',${mode},', ',')`, listed)})`;
}

async function connectAnywhere(login: Login, signal: AbortSignal) {
  const { hosts } = login.server;
  for (const [index, host] of hosts.entries()) {
    try {
      return { ...(await connectTo(login, host, signal)), host };
    } catch (error) {
      const isLast = index === hosts.length - 1;
      if (isLast || !(error instanceof DriverError) || error.reason !== "CONNECTION_FAILED") throw error;
    }
  }
  throw new DriverError("INTERNAL", "a connection without hosts");
}

async function connectTo(login: Login, { host, port }: MysqlServer["hosts"][number], signal: AbortSignal) {
  const { tls, user, database, connectTimeoutMs, compress } = login.server;
  const settings = await tlsOptions(tls, { host, fileRoots: login.fileRoots });
  const options: ConnectionOptions = {
    ...{ host, port, user, connectTimeout: connectTimeoutMs, compress, charset: "utf8mb4" },
    ...(login.password !== undefined && { password: login.password }),
    ...(database !== undefined && { database }),
    ...{ supportBigNumbers: true, bigNumberStrings: true, dateStrings: true, jsonStrings: true },
    connectAttributes: { program_name: "drover" },
    // No file of this machine is ever sent, whatever a server asks for.
    flags: ["-LOCAL_FILES"],
  };
  if (settings === undefined) return { connection: await connected(options, signal, login), encrypted: false };
  const ssl = {
    ...(settings.ca !== undefined && { ca: settings.ca as Buffer }),
    ...(settings.cert !== undefined && { cert: settings.cert as Buffer }),
    ...(settings.key !== undefined && { key: settings.key as Buffer }),
    rejectUnauthorized: settings.rejectUnauthorized === true,
    verifyIdentity: tls.mode === "verify-full",
  };
  try {
    return { connection: await connected({ ...options, ssl }, signal, login), encrypted: true };
  } catch (error) {
    if (tls.mode !== "prefer" || !lacksTls(error)) throw error;
    return { connection: await connected(options, signal, login), encrypted: false };
  }
}

function connected(options: ConnectionOptions, signal: AbortSignal, facts: ServerFacts): Promise<Connection> {
  signal.throwIfAborted();
  const connection = createConnection(options);
  // Errors reach whoever waits; without a listener they would end the process.
  connection.on("error", () => undefined);
  const ready = new Promise<Connection>((resolve, reject) =>
    connection.connect((error) => (error ? reject(mysqlError(error, facts)) : resolve(connection))),
  );
  return orAbort(ready, signal).catch((error: unknown) => {
    connection.destroy();
    throw error;
  });
}

function run(
  connection: Connection,
  sql: string,
  signal: AbortSignal,
  facts: ServerFacts,
): Promise<readonly TextRow[]> {
  const options = { sql, rowsAsArray: true, typeCast: asText, ...NO_GENERATED_PARSER };
  return orAbort(
    new Promise<readonly TextRow[]>((resolve, reject) =>
      connection.query(options, (error, rows) =>
        error ? reject(mysqlError(error, facts)) : resolve(Array.isArray(rows) ? (rows as unknown as TextRow[]) : []),
      ),
    ),
    signal,
  );
}

/** Whoever has not answered by then does not matter: the connection is closed anyway. */
async function goodbye(connection: Connection): Promise<void> {
  const ended = new Promise((resolve) => connection.end(resolve));
  await Promise.race([ended, delay(GOODBYE_LIMIT_MS, undefined, { ref: false })]);
}

async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  work.catch(() => undefined);
  aborted.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}

/** mysql2 writes code for each shape of rows, and refuses column names like `__proto__` in it; where few rows come it needs none. */
const NO_GENERATED_PARSER = { disableEval: true };

type Field = { readonly type: string; string(encoding?: BufferEncoding): string | null; buffer(): Buffer | null };

const asText = (field: Field) => field.string("utf8");

/** Values without loss: numbers that a double holds, else texts; bytes where they are no text. */
function exactValue(field: Field & { readonly length: number }, next: () => unknown): unknown {
  switch (field.type) {
    case "FLOAT":
    case "DOUBLE":
    case "JSON":
      return field.string("utf8");
    case "GEOMETRY":
      return field.buffer();
    default:
      return next();
  }
}

/** What a column of a result is, of what types depend on. */
export function definitionOf(field: FieldPacket): FieldDefinition {
  return {
    name: field.name,
    type: field.columnType ?? field.type ?? 0,
    flags: typeof field.flags === "number" ? field.flags : 0,
    length: field.columnLength ?? 0,
    decimals: field.decimals,
    binary: field.characterSet === BINARY_CHARSET,
    extendedType: field.extendedTypeName,
    extendedFormat: field.extendedFormat,
  };
}
