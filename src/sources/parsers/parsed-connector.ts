import type { ScanColumn } from "../../engine/file-scan.ts";
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
  SourcePlan,
  SourceSession,
} from "../connector.ts";
import { decodeText, encodeRows } from "../exchange/decode-text.ts";
import { encodeBatch } from "../exchange/encode-batch.ts";
import { parseOptions } from "../option-values.ts";
import { filteredColumns } from "../row-filter.ts";
import { type Parsers, parserOptions, parsersOf } from "./options.ts";
import { RowFailure, RowParsing } from "./parse-rows.ts";
import { type BatchParser, readyParsers } from "./run-parsers.ts";

/** A connector whose rows are known column by column before they are read, with value parsers over its columns. */
export function withParsers(connector: Connector): Connector {
  return {
    ...connector,
    open: async (source, context) => {
      const given = taken(source);
      if (given.sql === undefined && given.rows.size === 0) return connector.open(source, context);
      requireRawFilter(source, given);
      const ready = await readyParsers(given.rows, context.parsers);
      return new ParsedSession(await connector.open(given.source, context), given, ready);
    },
  };
}

interface Taken extends Parsers {
  /** The types that were declared for parsed columns. */
  readonly types: Readonly<Record<string, string>>;
  /** What is left for the connector: the raw texts of those columns, as the source has them. */
  readonly source: Source;
}

const takenOptions = { ...parserOptions, types: declaredColumnOptions.types } as const;

/** Takes the parsers, and the types of what they make, out of a source's options. */
function taken(source: Source): Taken {
  const isTaken = (name: string) => Object.hasOwn(takenOptions, name.split(".", 1)[0] ?? "");
  const entries = Object.entries(source.options);
  const values = parseOptions(source.kind, takenOptions, Object.fromEntries(entries.filter(([name]) => isTaken(name))));
  const { sql, rows } = parsersOf(values);
  const types = Object.entries(sharedSettings(values).declaredTypes ?? {});
  const isParsed = ([name]: readonly [string, string]) => rows.has(name) || Object.hasOwn(sql ?? {}, name);
  const left = types.filter((entry) => !isParsed(entry));
  const options = {
    ...Object.fromEntries(entries.filter(([name]) => !isTaken(name))),
    ...(left.length > 0 && { types: Object.fromEntries(left) }),
  };
  return { sql, rows, types: Object.fromEntries(types.filter(isParsed)), source: { ...source, options } };
}

/** A server sees raw values only: what it compared would not be what parsers make of them. Throws INVALID_FILTER. */
function requireRawFilter({ server, filter }: Source, { sql, rows }: Taken): void {
  if (server === undefined) return;
  const column = filteredColumns(filter).find((name) => rows.has(name) || Object.hasOwn(sql ?? {}, name));
  if (column !== undefined)
    throw new DriverError(
      "INVALID_FILTER",
      `the filter names ${JSON.stringify(column)}, which a value parser makes after the database has chosen the rows; write a query`,
      { metadata: { column } },
    );
}

class ParsedSession implements SourceSession {
  readonly #session: SourceSession;
  readonly #taken: Taken;
  readonly #ready: ReadonlyMap<string, BatchParser>;

  constructor(session: SourceSession, given: Taken, ready: ReadonlyMap<string, BatchParser>) {
    this.#session = session;
    this.#taken = given;
    this.#ready = ready;
  }

  test() {
    return this.#session.test();
  }

  async plan(options: PlanOptions): Promise<SourcePlan> {
    const plan = await this.#session.plan(options);
    const columns = plan.columns ?? [];
    const names = columns.map(({ name }) => name);
    const unknown = [...this.#ready.keys(), ...Object.keys(this.#taken.sql ?? {})].find(
      (name) => !names.includes(name),
    );
    if (unknown !== undefined)
      throw new DriverError("UNKNOWN_COLUMN", `option parsers: the source has no column ${JSON.stringify(unknown)}`, {
        metadata: { column: unknown },
      });
    return {
      ...plan,
      columns: columns.map((column) => this.#parsed(column)),
      partitions: plan.partitions.map((partition) => ({ partition, names })),
    };
  }

  async join(shared: SharedSnapshot): Promise<void> {
    await this.#session.join?.(shared);
  }

  async joined(): Promise<void> {
    await this.#session.joined?.();
  }

  async read({ partition, names }: Partition): Promise<PartitionContent> {
    const content = await this.#session.read(partition as Partition);
    if (this.#ready.size === 0 || content.form === "files") return content;
    const chunks = content.form === "text" ? content.chunks : encoded(content.batches);
    return { form: "text", chunks: parsedText(chunks, names as readonly string[], this.#ready) };
  }

  async requireUnchanged(): Promise<void> {
    await this.#session.requireUnchanged?.();
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
    if (parser === undefined) return column;
    if (parser.makesLists) return { ...plain, type: "VARCHAR[]", origin: "exact", encoding: "list" };
    return { ...plain, type: declared ?? "VARCHAR", origin: declared === undefined ? "exact" : "declared" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
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
