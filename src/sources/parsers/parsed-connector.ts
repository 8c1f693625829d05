import type { FileScan, ScanColumn } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { declaredColumnOptions, sharedSettings } from "../common-options.ts";
import type {
  ColumnBatch,
  Connector,
  Partition,
  PartitionContent,
  PlanOptions,
  SharedSnapshot,
  Source,
  SourceContext,
  SourcePlan,
  SourceSession,
} from "../connector.ts";
import { decodeText, encodeRows } from "../exchange/decode-text.ts";
import { encodeBatch } from "../exchange/encode-batch.ts";
import { invalidOption, parseOptions } from "../option-values.ts";
import { filteredColumns } from "../row-filter.ts";
import { type Parsers, parserOptions, parsersOf } from "./options.ts";
import { RowFailure, RowParsing } from "./parse-rows.ts";
import { type BatchParser, readyParsers } from "./run-parsers.ts";

export interface ParsedConnectorOptions {
  /** The connector knows nothing of declared types: the engine casts its columns. */
  readonly casts?: boolean;
}

/** A connector with value parsers over its columns. Rows that it gives itself may have all of them, files those in SQL. */
export function withParsers(connector: Connector, { casts = false }: ParsedConnectorOptions = {}): Connector {
  return {
    ...connector,
    open: async (source, context) => {
      const given = taken(source, casts);
      const isPlain = given.sql === undefined && given.rows.size === 0 && !(casts && given.named.length > 0);
      if (isPlain) return connector.open(source, context);
      if (connector.filters) requireRawFilter(source, given);
      const ready = await readyParsers(given.rows, context.parsers);
      return new ParsedSession(await connector.open(given.source, context), given, { ready, context });
    },
  };
}

interface Taken extends Parsers {
  /** The columns that these parsers and types are for. */
  readonly named: readonly string[];
  /** The types that were declared, for parsed columns at least. */
  readonly types: Readonly<Record<string, string>>;
  /** What is left for the connector: the raw texts of those columns, as the source has them. */
  readonly source: Source;
}

const takenOptions = { ...parserOptions, types: declaredColumnOptions.types } as const;

/** Takes the parsers, and the types of what they make, out of a source's options; all types where the connector has no use for them. */
function taken(source: Source, casts: boolean): Taken {
  const isTaken = (name: string) => Object.hasOwn(takenOptions, name.split(".", 1)[0] ?? "");
  const entries = Object.entries(source.options);
  const values = parseOptions(source.kind, takenOptions, Object.fromEntries(entries.filter(([name]) => isTaken(name))));
  const { sql, rows } = parsersOf(values);
  const types = Object.entries(sharedSettings(values).declaredTypes ?? {});
  const isTakenType = ([name]: readonly [string, string]) => casts || rows.has(name) || Object.hasOwn(sql ?? {}, name);
  const left = types.filter((entry) => !isTakenType(entry));
  const options = {
    ...Object.fromEntries(entries.filter(([name]) => !isTaken(name))),
    ...(left.length > 0 && { types: Object.fromEntries(left) }),
  };
  const own = Object.fromEntries(types.filter(isTakenType));
  const named = [...rows.keys(), ...Object.keys(sql ?? {}), ...Object.keys(own)];
  return { sql, rows, named, types: own, source: { ...source, options } };
}

/** Whoever filters sees raw values only: what was compared would not be what parsers make of them. Throws INVALID_FILTER. */
function requireRawFilter({ server, filter }: Source, { named }: Taken): void {
  const column = filteredColumns(filter).find((name) => named.includes(name));
  if (column === undefined) return;
  const who = server === undefined ? "connector" : "database";
  throw new DriverError(
    "INVALID_FILTER",
    `the filter names ${JSON.stringify(column)}, which a value parser or its declared type makes after the ${who} has chosen the rows; write a query`,
    { metadata: { column } },
  );
}

interface Ready {
  readonly ready: ReadonlyMap<string, BatchParser>;
  readonly context: SourceContext;
}

/** Texts whose columns the engine finds may be parsed before. */
const rowsOfFiles = {
  csv: async () => (await import("../csv/parse-rows.ts")).parseCsvRows,
  json: async () => (await import("../json/parse-rows.ts")).parseJsonRows,
};

class ParsedSession implements SourceSession {
  readonly #session: SourceSession;
  readonly #taken: Taken;
  readonly #ready: ReadonlyMap<string, BatchParser>;
  readonly #context: SourceContext;

  constructor(session: SourceSession, given: Taken, { ready, context }: Ready) {
    this.#session = session;
    this.#taken = given;
    this.#ready = ready;
    this.#context = context;
  }

  test() {
    return this.#session.test();
  }

  async plan(options: PlanOptions): Promise<SourcePlan> {
    const plan = await this.#session.plan(options);
    const { columns } = plan;
    // Files, whose columns the engine finds, and where it will tell of unknown ones.
    if (columns === undefined) return plan;
    const names = columns.map(({ name }) => name);
    const unknown = this.#taken.named.find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw new DriverError(
        "UNKNOWN_COLUMN",
        `option ${this.#optionOf(unknown)}: the source has no column ${JSON.stringify(unknown)}`,
        { metadata: { column: unknown } },
      );
    return {
      ...plan,
      columns: columns.map((column) => this.#parsed(column)),
      partitions: plan.partitions.map((partition) => ({ partition, names })),
    };
  }

  /** Which option names a column. */
  #optionOf(column: string): "parsers" | "types" {
    const { rows, sql = {} } = this.#taken;
    return rows.has(column) || Object.hasOwn(sql, column) ? "parsers" : "types";
  }

  async join(shared: SharedSnapshot): Promise<void> {
    await this.#session.join?.(shared);
  }

  async joined(): Promise<void> {
    await this.#session.joined?.();
  }

  async read(part: Partition): Promise<PartitionContent> {
    const { partition = part, names } = part;
    const content = await this.#session.read(partition as Partition);
    if (content.form === "files") return { form: "files", scan: await this.#parsedFiles(content.scan) };
    if (this.#ready.size === 0) return content;
    const chunks = content.form === "text" ? content.chunks : encoded(content.batches);
    return { form: "text", chunks: parsedText(chunks, names as readonly string[], this.#ready) };
  }

  async requireUnchanged(): Promise<void> {
    await this.#session.requireUnchanged?.();
  }

  async #parsedFiles(scan: FileScan): Promise<FileScan> {
    const { sql, rows, types } = this.#taken;
    if (scan.columns !== undefined && rows.size === 0)
      return { ...scan, columns: scan.columns.map((column) => this.#parsed(column)) };
    const parseRows = scan.columns === undefined && scan.kind !== "parquet" ? rowsOfFiles[scan.kind] : undefined;
    if (parseRows === undefined && (rows.size > 0 || sql !== undefined)) throw typed(rows.keys().next().value);
    const declared = { ...scan, ...(sql && { parsers: sql }), declaredTypes: { ...scan.declaredTypes, ...types } };
    return rows.size === 0 || parseRows === undefined ? declared : (await parseRows())(declared, rows, this.#context);
  }

  #parsed(column: ScanColumn): ScanColumn {
    const { encoding: _, ...plain } = column;
    const declared = this.#taken.types[column.name];
    const sql = this.#taken.sql?.[column.name];
    if (sql !== undefined && Object.hasOwn(this.#taken.sql ?? {}, column.name))
      return {
        ...{ ...plain, type: declared ?? "VARCHAR", origin: "declared" },
        parser: { sql, declared: declared !== undefined },
      };
    const parser = this.#ready.get(column.name);
    if (parser === undefined) return declared === undefined ? column : castTo(declared, column);
    if (parser.makesLists) return { ...plain, type: "VARCHAR[]", origin: "exact", encoding: "list" };
    return { ...plain, type: declared ?? "VARCHAR", origin: declared === undefined ? "exact" : "declared" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/** Throws INVALID_OPTION where the column's text is not its value. */
function castTo(type: string, column: ScanColumn): ScanColumn {
  const { encoding, ...plain } = column;
  if (encoding === undefined) return { ...plain, type, origin: "declared" };
  throw invalidOption("types", `${column.name}=${type}`, `for a column that holds ${column.type}`);
}

/** Of files whose values have types of their own there is no text. */
function typed(column: string | undefined): DriverError {
  return invalidOption("parsers", column ?? "SQL", "of use: the engine gets files whose columns have types already");
}

async function* encoded(batches: AsyncIterable<ColumnBatch>): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) yield encodeBatch(batch);
}

async function* parsedText(
  chunks: AsyncIterable<Uint8Array>,
  names: readonly string[],
  parsers: ReadonlyMap<string, BatchParser>,
): AsyncGenerator<Uint8Array> {
  const parsing = new RowParsing(names, parsers, { policy: "fail" });
  try {
    for await (const rows of decodeText(chunks, { lists: false })) yield encodeRows(parsing.run(rows));
  } catch (error) {
    if (!(error instanceof RowFailure)) throw error;
    const { ordinal, column, value, reason } = error.row;
    throw new DriverError(
      "VALUE_PARSER_FAILED",
      `row ${ordinal} as it was read, column ${JSON.stringify(column)}: ${reason}`,
      { metadata: { row: String(ordinal), column, value }, cause: error },
    );
  }
  const list = Object.entries(parsing.columns).find(([name, { isList }]) => isList && !parsers.get(name)?.makesLists);
  if (list !== undefined)
    throw new DriverError(
      "VALUE_PARSER_FAILED",
      `column ${JSON.stringify(list[0])}: its parser made lists, which only xml(…[]) may`,
      {
        metadata: { column: list[0] },
      },
    );
}
