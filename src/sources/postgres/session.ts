import { DriverError } from "../../errors/driver-error.ts";
import type {
  Partition,
  PartitionContent,
  PlanOptions,
  SharedSnapshot,
  Source,
  SourceContext,
  SourceSession,
  SourceTable,
  SourceTest,
} from "../connector.ts";
import { begin, type ServerVersion, versionOf } from "./begin.ts";
import { listTables } from "./catalog.ts";
import type { PostgresConnection } from "./connection.ts";
import type { PostgresServer, PostgresSettings } from "./options.ts";
import { type PostgresPartition, planLoad, serverMark } from "./plan-load.ts";
import { rowBatches } from "./row-batches.ts";

export interface SessionParts {
  readonly connection: PostgresConnection;
  readonly server: PostgresServer;
  readonly settings: PostgresSettings;
  readonly source: Source;
  readonly context: SourceContext;
}

/** One worker's session with a PostgreSQL server: one connection and, for a load, one transaction that only reads. */
export class PostgresSession implements SourceSession {
  readonly #parts: SessionParts;
  #version: ServerVersion | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  async test(): Promise<SourceTest> {
    const { connection, server } = this.#parts;
    using _ = await this.#permit();
    const [row] = await connection.run(
      `SELECT pg_catalog.version(), rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user`,
    );
    const [version = "", isSuperuser] = row ?? [];
    const tls = connection.tlsProtocol;
    const isLocal = /^(\/|localhost$|127\.|::1$)/.test(connection.place.host);
    return {
      description: `${/^\S+ \S+/.exec(version ?? "")?.[0] ?? "a server"}, ${tls ?? "without TLS"}, database ${server.database}`,
      warnings: [
        ...(tls === undefined && !isLocal ? ["the connection is not encrypted"] : []),
        ...(isSuperuser === "t" ? ["the login is a superuser: one that may only read is safer"] : []),
      ],
    };
  }

  async *listTables(): AsyncGenerator<SourceTable> {
    using _ = await this.#permit();
    yield* listTables(this.#parts.connection);
  }

  async plan(options: PlanOptions) {
    const { connection, server, settings, source } = this.#parts;
    using _ = await this.#permit();
    const version = await this.#knownVersion();
    const transfer = await this.#chooseTransfer();
    await begin(connection, { version, searchPath: server.searchPath, preview: options.preview });
    return planLoad({ connection, version, settings, source, transfer }, options);
  }

  /** COPY has to be tried before the transaction, which an error would end. */
  async #chooseTransfer(): Promise<PostgresPartition["transfer"]> {
    const { connection, settings } = this.#parts;
    if (settings.transfer !== "auto") return settings.transfer;
    try {
      for await (const _ of connection.copy("COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT csv)"));
      return "copy";
    } catch (error) {
      if (error instanceof DriverError && error.metadata.sqlState !== undefined && connection.usable) return "rows";
      throw error;
    }
  }

  /** Locks what the load reads while the session that has planned still does: nobody can have changed it in between. */
  async join({ snapshot, server: planned, sql }: SharedSnapshot): Promise<void> {
    const { connection, server } = this.#parts;
    using _ = await this.#permit();
    const version = await this.#knownVersion();
    await begin(connection, {
      ...{ version, searchPath: server.searchPath, preview: false },
      snapshot: String(snapshot),
    });
    // Behind one name may be several servers.
    if ((await serverMark(connection)) !== planned)
      throw new DriverError("CONNECTION_FAILED", "another server has answered than the one whose snapshot is shared");
    // Parsing alone would lock no parts of a partitioned table.
    await connection.run(`EXPLAIN ${String(sql)}`);
  }

  async read(partition: Partition): Promise<PartitionContent> {
    const { sql, transfer } = partition as PostgresPartition;
    return transfer === "copy"
      ? {
          form: "text",
          chunks: this.#permitted(() => this.#parts.connection.copy(`COPY (${sql}) TO STDOUT (FORMAT csv)`)),
        }
      : { form: "batches", batches: this.#permitted(() => rowBatches(this.#parts.connection, sql)) };
  }

  async *#permitted<T>(open: () => AsyncIterable<T>): AsyncGenerator<T> {
    using _ = await this.#permit();
    yield* open();
  }

  async #knownVersion(): Promise<ServerVersion> {
    this.#version ??= await versionOf(this.#parts.connection);
    return this.#version;
  }

  #permit(): Promise<Disposable> {
    return this.#parts.context.statement({ ...this.#parts.connection.place });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.connection[Symbol.asyncDispose]();
  }
}
