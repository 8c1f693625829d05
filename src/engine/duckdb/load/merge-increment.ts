import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../../../errors/driver-error.ts";
import type { WriteOptions } from "../../engine.ts";
import type { SegmentInfo, SegmentLimits } from "../../file-scan.ts";
import type { Increment, MergedIncrement, StoredRows } from "../../increment.ts";
import type { Column } from "../../types.ts";
import type { Connection } from "../connection.ts";
import { quoteIdentifier, quoteLiteral } from "../quoting.ts";
import { segmentsRelation } from "../version-relation.ts";
import { writeSelect } from "./write-segments.ts";

/** So many small segments are written anew as few large ones. */
const MAX_SMALL = 16;
/** A segment that holds less than this share of what it may is small. */
const SMALL = 1 / 8;

/** As `IncrementEngine.mergeIncrement`. */
export async function mergeIncrement(
  connection: Connection,
  increment: Increment,
  options: WriteOptions,
): Promise<MergedIncrement> {
  const merge = new Merge(connection, increment, options);
  return await merge.run();
}

/** The SQL of a column by its name. */
type ColumnOf = (name: string) => string;

class Merge {
  readonly #connection: Connection;
  readonly #increment: Increment;
  readonly #options: WriteOptions;

  constructor(connection: Connection, increment: Increment, options: WriteOptions) {
    this.#connection = connection;
    this.#increment = increment;
    this.#options = options;
  }

  async run(): Promise<MergedIncrement> {
    const { base, rule } = this.#increment;
    const fresh = await this.#withinWindow();
    if (rule.keys.length > 0) await this.#requireUniqueKeys(fresh);
    const replaced = await this.#replaced(fresh);
    const replacedRows = [...replaced.values()].reduce((sum, rows) => sum + rows, 0);
    if (replacedRows === rowsOf(fresh.segments) && (await this.#isSame(fresh))) {
      for (const { file } of fresh.segments) await rm(join(this.#options.directory, file));
      return { changed: false };
    }
    const partly = [...replaced].flatMap(([segment, rows]) => (rows < segment.rows ? [segment] : []));
    const untouched = base.segments.filter((segment) => !replaced.has(segment));
    const small = tooManySmall(untouched, this.#options.limits);
    const rest = await this.#write(this.#rest([...partly, ...small], fresh), "rest-", [...partly, ...small]);
    return {
      changed: true,
      kept: untouched.filter((segment) => !small.includes(segment)),
      written: [...rest, ...fresh.segments],
      replacedRows,
    };
  }

  /** The increment as the rule wants it: a source may give more than it was asked for. */
  async #withinWindow(): Promise<StoredRows> {
    const { fresh } = this.#increment;
    const outside = await this.#value(`SELECT count(*) FROM ${relation(fresh)} WHERE (${this.#window()}) IS NOT TRUE`);
    if (Number(outside) === 0) return fresh;
    const select = `SELECT * FROM ${relation(fresh)} WHERE ${this.#window()}`;
    const segments = await this.#write(select, "window-", fresh.segments);
    for (const { file } of fresh.segments) await rm(join(this.#options.directory, file));
    return { ...fresh, segments, paths: segments.map(({ file }) => join(this.#options.directory, file)) };
  }

  async #requireUniqueKeys(fresh: StoredRows): Promise<void> {
    const keys = this.#keys();
    const shown = keys.map((key) => `CAST(${key} AS VARCHAR)`).join(", ");
    const twice = `SELECT ${shown} FROM ${relation(fresh)} GROUP BY ${keys.join(", ")} HAVING count(*) > 1 LIMIT 1`;
    const result = await this.#connection.run(twice, [], { signal: this.#options.signal });
    const [row] = await result.getRows();
    if (row === undefined) return;
    const { rule } = this.#increment;
    const key = rule.keys.map((name, index) => `${name}=${String(row[index]).slice(0, 100)}`).join(", ");
    throw new DriverError("DUPLICATE_KEY", `the source has several rows with ${key}`, { metadata: { key } });
  }

  /** How many rows of which segment of the base the increment replaces. */
  async #replaced(fresh: StoredRows): Promise<ReadonlyMap<SegmentInfo, number>> {
    const { base } = this.#increment;
    if (base.paths.length === 0) return new Map();
    // Other names, as a column may be called like the engine's own for the file.
    const places = base.columns.map((_, index) => `c${index}`);
    const from = `${segmentsRelation(base.paths)} AS old(${places.join(", ")})`;
    const stored = (name: string) => `c${base.columns.findIndex((column) => column.name === name)}`;
    const sql = `SELECT old.file_index, count(*) FROM ${from} ${this.#replacedBy(fresh, stored)} GROUP BY ALL`;
    const result = await this.#connection.run(sql, [], { signal: this.#options.signal });
    const counts = new Map<SegmentInfo, number>();
    for (const [index, rows] of await result.getRows()) {
      const segment = base.segments[Number(index)];
      if (segment !== undefined) counts.set(segment, Number(rows));
    }
    return counts;
  }

  /** Whether the rows that would be replaced, as many as there are new ones, are the new ones. */
  async #isSame(fresh: StoredRows): Promise<boolean> {
    const { base } = this.#increment;
    const columns = names(base.columns);
    const old = columns.map((column) => `old.${column}`).join(", ");
    const replaced = `SELECT ${old} FROM ${relation(base)} AS old ${this.#replacedBy(fresh)}`;
    const sql = `SELECT 1 FROM (${replaced} EXCEPT ALL SELECT ${columns.join(", ")} FROM ${relation(fresh)}) LIMIT 1`;
    return (await this.#value(sql)) === undefined;
  }

  /** The rows of segments that stay. */
  #rest(segments: readonly SegmentInfo[], fresh: StoredRows): string {
    const { base } = this.#increment;
    const columns = names(base.columns).map((column) => `old.${column}`);
    const stored = relation({ ...base, ...pathsOf(base, segments) });
    const stay =
      this.#increment.rule.keys.length === 0
        ? `WHERE (${this.#window(quoteIdentifier, "old.")}) IS NOT TRUE`
        : `ANTI JOIN ${this.#keysOf(fresh, quoteIdentifier)}`;
    return `SELECT ${columns.join(", ")} FROM ${stored} AS old ${stay}`;
  }

  /** What picks, behind a FROM, the rows of `old` that the increment replaces. */
  #replacedBy(fresh: StoredRows, stored: ColumnOf = quoteIdentifier): string {
    return this.#increment.rule.keys.length === 0
      ? `WHERE ${this.#window(stored, "old.")}`
      : `SEMI JOIN ${this.#keysOf(fresh, stored)}`;
  }

  #keysOf(fresh: StoredRows, stored: ColumnOf): string {
    const { keys } = this.#increment.rule;
    // NULL is a key like any other.
    const same = keys.map((key) => `old.${stored(key)} IS NOT DISTINCT FROM new.${quoteIdentifier(key)}`);
    return `(SELECT ${this.#keys().join(", ")} FROM ${relation(fresh)}) AS new ON ${same.join(" AND ")}`;
  }

  #keys(): readonly string[] {
    return this.#increment.rule.keys.map(quoteIdentifier);
  }

  #window(columnOf: ColumnOf = quoteIdentifier, prefix = ""): string {
    const { rule, from, base } = this.#increment;
    const type = base.columns.find(({ name }) => name === rule.watermark)?.type ?? "VARCHAR";
    return `${prefix}${columnOf(rule.watermark)} >= CAST(${quoteLiteral(from)} AS ${type})`;
  }

  async #write(select: string, prefix: string, from: readonly SegmentInfo[]): Promise<readonly SegmentInfo[]> {
    if (from.length === 0) return [];
    const { columns } = this.#increment.base;
    const [totalBytes, rows] = [from.reduce((sum, { bytes }) => sum + bytes, 0), rowsOf(from)];
    const size = { totalBytes, rowBytes: totalBytes / Math.max(1, rows), columns: columns.length };
    const { onProgress: _, ...options } = this.#options;
    const written = await writeSelect(this.#connection, select, size, { ...options, prefix: options.prefix + prefix });
    const differs = written.columns.some(({ name, type }, index) => {
      const column = columns[index];
      return column?.name !== name || column.type !== type;
    });
    if (differs) throw new DriverError("INTERNAL", "columns have changed by being written again");
    return written.segments;
  }

  async #value(sql: string): Promise<unknown> {
    const result = await this.#connection.run(sql, [], { signal: this.#options.signal });
    return (await result.getRows())[0]?.[0];
  }
}

function rowsOf(segments: readonly SegmentInfo[]): number {
  return segments.reduce((sum, { rows }) => sum + rows, 0);
}

function names(columns: readonly Column[]): readonly string[] {
  return columns.map(({ name }) => quoteIdentifier(name));
}

/** Rows as an item of FROM, without an alias; none where there are no segments. */
function relation({ columns, paths }: StoredRows): string {
  if (paths.length > 0) return segmentsRelation(paths);
  const nulls = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteIdentifier(name)}`);
  return `(SELECT ${nulls.join(", ")} LIMIT 0)`;
}

function pathsOf(base: StoredRows, segments: readonly SegmentInfo[]): Pick<StoredRows, "segments" | "paths"> {
  return { segments, paths: base.paths.filter((_, index) => segments.includes(base.segments[index] as SegmentInfo)) };
}

/** Those that are worth being written anew as fewer ones: every increment leaves a small one behind. */
function tooManySmall(segments: readonly SegmentInfo[], limits: SegmentLimits): readonly SegmentInfo[] {
  const small = segments.filter(({ rows, bytes }) => rows < limits.maxRows * SMALL && bytes < limits.maxBytes * SMALL);
  return small.length < MAX_SMALL ? [] : small;
}
