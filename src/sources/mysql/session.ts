import type { FieldPacket } from "mysql2";
import { DriverError } from "../../errors/driver-error.ts";
import type {
  Partition,
  PartitionContent,
  PlanOptions,
  SharedSnapshot,
  Source,
  SourceContext,
  SourcePlan,
  SourceSession,
  SourceTest,
} from "../connector.ts";
import type { Relation } from "../database/options.ts";
import { rangeCondition } from "../database/ranges.ts";
import { withTable } from "../database/with-table.ts";
import { listTables } from "./catalog.ts";
import { selectionOf } from "./columns.ts";
import { definitionOf, type Login, type MysqlConnection } from "./connection.ts";
import { conditionOf } from "./filter.ts";
import { type MysqlSettings, settingsOf } from "./options.ts";
import { planPartitions } from "./partition-plan.ts";
import { ProtocolType } from "./protocol-types.ts";
import { quoteName, relationSql } from "./quoting.ts";
import { type TableFacts, tableFacts } from "./ranges.ts";
import { readBatches, readText } from "./read-rows.ts";
import { BEGIN_SNAPSHOT, joinSnapshot, type SnapshotLock } from "./snapshot.ts";
import type { FieldForm } from "./text-form.ts";
import type { FieldDefinition, TypeOptions } from "./types.ts";

const PREVIEW_ROWS = 1_000;

/** What every partition of a load has in common; plain data. */
interface ReadPlan {
  /** Without the partition's own condition. */
  readonly sql: string;
  readonly conditions: readonly string[];
  readonly limit: number | undefined;
  readonly forms: readonly FieldForm[];
  /** The protocol's types of the columns. */
  readonly shape: readonly string[];
}

/** One connection with one transaction, which sees one state of the source. */
export class MysqlSession implements SourceSession {
  readonly #source: Source;
  readonly #context: SourceContext;
  readonly #login: Login;
  readonly #connection: MysqlConnection;
  readonly #settings: MysqlSettings;
  readonly #types: TypeOptions;
  #read: ReadPlan | undefined;
  #lock: SnapshotLock | undefined;

  constructor(source: Source, context: SourceContext, login: Login, connection: MysqlConnection) {
    this.#source = source;
    this.#context = context;
    this.#login = login;
    this.#connection = connection;
    this.#settings = settingsOf(withTable(source.options, source.uri));
    this.#types = { zeroDates: this.#settings.zeroDates ?? login.server.zeroDates, times: this.#settings.times };
  }

  async test(): Promise<SourceTest> {
    using _place = await this.#context.statement(this.#connection.ending);
    const { server } = this.#login;
    const [row] = await this.#connection.run("SELECT VERSION()");
    const version = row?.[0] ?? "";
    const [, tls] = (await this.#connection.run("SHOW SESSION STATUS LIKE 'Ssl_version'"))[0] ?? [];
    const product = /mariadb/i.test(version) ? "MariaDB" : "MySQL";
    const isLocal = server.hosts.every(({ host }) => /^(?:localhost$|127\.|::1$)/.test(host));
    const database = server.database === undefined ? "" : `, database ${server.database}`;
    return {
      description: `${product} ${version.replace(/-MariaDB.*$/i, "")}, ${tls || "without TLS"}${database}`,
      warnings: tls || isLocal ? [] : ["the connection is not encrypted"],
    };
  }

  async *listTables() {
    using _place = await this.#context.statement(this.#connection.ending);
    yield* listTables(this.#connection);
  }

  async plan({ maxPartitions, preview }: PlanOptions): Promise<SourcePlan> {
    using _place = await this.#context.statement(this.#connection.ending);
    const relation = this.#relation();
    const { filter } = this.#source;
    const limit = this.#source.limit ?? (preview ? PREVIEW_ROWS : undefined);
    const connection = this.#connection;
    const facts = await factsOf(connection, relation);
    const parts = await planPartitions({
      ...{ connection, relation, facts, settings: this.#settings, signal: this.#context.signal },
      // A limit counts over all parts.
      maxPartitions: limit !== undefined ? 1 : maxPartitions,
      describe: () => this.#describe(relation),
    });
    this.#lock = parts.lock;
    // The lock has a connection of its own, behind whose name may be another server.
    if (parts.lock) await joinSnapshot(connection, parts.lock.shared);
    else await connection.run(BEGIN_SNAPSHOT);
    const fields = await this.#describe(relation);
    const selection = selectionOf(fields, this.#settings, this.#types);
    const sql = `SELECT ${selection.list} FROM ${relationSql(relation)}`;
    const conditions =
      filter === undefined ? [] : [conditionOf(filter, fields, this.#types, this.#settings.declaredTypes)];
    const shape = (await connection.fields(`${sql}${whereSql(conditions)} LIMIT 0`)).map(shapeOf);
    this.#read = { sql, conditions, limit, forms: selection.forms, shape };
    const column = parts.column === undefined ? undefined : quoteName(parts.column);
    return {
      columns: selection.columns,
      partitions: parts.ranges.map((range) =>
        column === undefined ? {} : { condition: rangeCondition(column, range) },
      ),
      ...(parts.lock && { shared: { ...parts.lock.shared, read: this.#read } }),
      totalBytes: 0,
      ...(facts.rows !== undefined &&
        filter === undefined && { estimatedRows: Math.min(facts.rows, limit ?? facts.rows) }),
      warnings: [...parts.warnings, ...selection.warnings],
    };
  }

  async join(shared: SharedSnapshot): Promise<void> {
    const plan = shared.read as ReadPlan;
    this.#read = plan;
    await joinSnapshot(this.#connection, shared);
    // The first look keeps the table's shape as it is until the transaction ends.
    requireShape(await this.#connection.fields(`${plan.sql} LIMIT 0`), plan);
  }

  async joined(): Promise<void> {
    await this.#lock?.release();
  }

  async read({ condition }: Partition): Promise<PartitionContent> {
    const plan = this.#read;
    if (plan === undefined) throw new DriverError("INTERNAL", "a partition is read before it is planned");
    const conditions = typeof condition === "string" ? [...plan.conditions, condition] : plan.conditions;
    const limit = plan.limit === undefined ? "" : ` LIMIT ${plan.limit}`;
    const sql = `${plan.sql}${whereSql(conditions)}${limit}`;
    const options = {
      fields: plan.forms,
      check: (fields: readonly FieldPacket[]) => requireShape(fields.map(definitionOf), plan),
    };
    return this.#settings.transfer === "rows"
      ? { form: "batches", batches: this.#counted(readBatches(this.#connection, sql, options)) }
      : { form: "text", chunks: this.#counted(readText(this.#connection, sql, options)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock?.[Symbol.asyncDispose]();
    await this.#connection[Symbol.asyncDispose]();
  }

  #relation(): Relation {
    const { relation } = this.#settings;
    if (relation) return relation;
    throw new DriverError("INVALID_SOURCE", "a load from a database needs the option table or query");
  }

  async #describe(relation: Relation): Promise<readonly FieldDefinition[]> {
    // By itself, so that no text can close the brackets that it is put in.
    if (relation.kind === "query") await this.#connection.prepare(relation.query);
    return this.#connection.fields(`SELECT * FROM ${relationSql(relation)} LIMIT 0`);
  }

  /** Reads as soon as the connection may run one more statement. */
  async *#counted<T>(content: AsyncIterable<T>): AsyncGenerator<T, void> {
    using _place = await this.#context.statement(this.#connection.ending);
    try {
      yield* content;
    } catch (error) {
      throw changedSincePlanned(error);
    }
  }
}

async function factsOf(connection: MysqlConnection, relation: Relation): Promise<TableFacts> {
  return relation.kind === "table" ? tableFacts(connection, relation) : { rows: undefined, hasSnapshots: false };
}

function whereSql(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
}

const UNSIGNED_FLAG = 32;

/** What types are made of. */
function shapeOf({ type, flags, length, decimals, binary, extendedType, extendedFormat }: FieldDefinition): string {
  const digits = type === ProtocolType.NEWDECIMAL || type === ProtocolType.BIT ? length : 0;
  return [type, flags & UNSIGNED_FLAG, decimals, digits, binary, extendedType, extendedFormat].join("/");
}

function requireShape(fields: readonly FieldDefinition[], plan: ReadPlan): void {
  const found = fields.map(shapeOf);
  if (found.length === plan.shape.length && found.every((each, index) => each === plan.shape[index])) return;
  throw new DriverError("SOURCE_CHANGED", "the columns are no longer those that the load was planned with");
}

const GONE = ["ER_BAD_FIELD_ERROR", "ER_NO_SUCH_TABLE"];

/** What was there when the load was planned, and no longer is. */
function changedSincePlanned(error: unknown): unknown {
  if (!(error instanceof DriverError) || !GONE.includes(error.metadata.code ?? "")) return error;
  return new DriverError("SOURCE_CHANGED", error.message, { metadata: error.metadata, cause: error });
}
