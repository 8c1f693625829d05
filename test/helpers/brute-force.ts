import type { AggregateQuery, Dimension, Filter, Measure, Order, Scalar } from "../../src/queries/model.ts";

/** A value while it is computed with: whole numbers and decimals are big integers, the latter times 10 to the scale. */
type Cell = null | boolean | bigint | number | string;
export type Row = Readonly<Record<string, Cell>>;

/** A column of the data that queries are evaluated over. */
export interface ColumnSpec {
  readonly kind: "integer" | "decimal" | "float" | "text" | "boolean" | "date";
  readonly scale: number;
}
export type Columns = Readonly<Record<string, ColumnSpec>>;

interface OutputRow {
  readonly kind: "group" | "others" | "subtotal" | "total";
  readonly level: number;
  readonly values: Readonly<Record<string, Cell>>;
}

/** Evaluates a query row by row as the contract words it, without any of the planner's ways. */
export function evaluate(
  query: AggregateQuery,
  columns: Columns,
  data: readonly Row[],
): readonly (readonly unknown[])[] {
  const rows = data.filter((row) => !query.filter || test(query.filter, row, columns) === true);
  const names = query.dimensions.map(nameOf);
  const keyed = rows.map((row) => query.dimensions.map((dimension) => bucket(dimension, row, columns)));
  const topIndex = query.top ? Math.max(0, names.indexOf(query.top.dimension ?? names[0] ?? "")) : -1;
  const kept = query.top && keptValues(query, columns, rows, keyed, topIndex);
  const isOther = (key: readonly Cell[]) => kept !== undefined && !kept.has(keyText(key[topIndex] ?? null));
  const compute = (index: readonly number[]) =>
    computeMeasures(
      query,
      columns,
      index.map((at) => rows[at] ?? {}),
    );
  const lengths =
    names.length === 0 || query.totals === "none" ? [] : query.totals === "grand" ? [0] : names.map((_, i) => i);
  const output: OutputRow[] = [];
  for (const length of [names.length, ...lengths]) {
    const groups = new Map<string, { key: readonly Cell[]; other: boolean; at: number[] }>();
    if (length === 0) groups.set("", { key: [], other: false, at: rows.map((_, index) => index) });
    else
      for (const [index, whole] of keyed.entries()) {
        const other = topIndex >= 0 && topIndex < length && isOther(whole);
        const key = whole.slice(0, length).map((value, at) => (other && at === topIndex ? null : value));
        const text = `${other} ${keyText(key)}`;
        const group = groups.get(text) ?? { key, other, at: [] };
        group.at.push(index);
        groups.set(text, group);
      }
    for (const { key, other, at } of groups.values()) {
      if (other && !query.top?.others) continue;
      const level = names.length - length;
      const kind = level > 0 ? (length === 0 ? "total" : "subtotal") : other ? "others" : "group";
      const dimensions = Object.fromEntries(names.map((name, index) => [name, key[index] ?? null]));
      output.push({ kind, level, values: { ...dimensions, ...compute(at) }, ...{ other } } as OutputRow);
    }
  }
  return finish(query, columns, names, topIndex, output);
}

function finish(
  query: AggregateQuery,
  columns: Columns,
  names: readonly string[],
  topIndex: number,
  output: readonly OutputRow[],
) {
  const types = outputSpecs(query, columns);
  const passed = output.filter(
    ({ kind, values }) => kind !== "group" || !query.having || test(query.having, values, types) === true,
  );
  const sorted = passed.toSorted((a, b) => compareRows(a, b, query, names, topIndex));
  let seen = 0;
  const cut = sorted.filter(({ kind }) => {
    if (kind !== "group") return true;
    seen += 1;
    return seen > query.offset && (query.limit === 0 || seen <= query.offset + query.limit);
  });
  const showKind = query.totals !== "none" || query.top?.others;
  const all = [...names, ...query.measures.map(measureName)];
  return cut.map(({ kind, values }) => {
    const cells: unknown[] = all.map((name) => toJson(values[name] ?? null, types[name]));
    return showKind ? [...cells, kind] : cells;
  });
}

function compareRows(
  a: OutputRow,
  b: OutputRow,
  query: AggregateQuery,
  names: readonly string[],
  topIndex: number,
): number {
  const flag = (row: OutputRow) => ("other" in row && row.other ? 1 : 0);
  const byKey = ({ by, descending, nullsFirst }: Order) => {
    const [x = null, y = null] = [a.values[by], b.values[by]];
    if (x === null || y === null) return ((x === null ? 1 : 0) - (y === null ? 1 : 0)) * (nullsFirst ? -1 : 1);
    return compare(x, y) * (descending ? -1 : 1);
  };
  const plain = (by: string): Order => ({ by, descending: false, nullsFirst: false });
  const given = (by: string) => query.order.find((order) => order.by === by) ?? plain(by);
  const steps: (() => number)[] = [];
  let rest = query.order;
  if (query.totals === "subtotals") {
    for (const [index, name] of names.entries()) {
      steps.push(() => (a.level >= names.length - index ? 1 : 0) - (b.level >= names.length - index ? 1 : 0));
      if (index === topIndex) steps.push(() => flag(a) - flag(b));
      if (index < names.length - 1) steps.push(() => byKey(given(name)));
    }
    rest = rest.filter(({ by }) => !names.slice(0, -1).includes(by));
  } else
    steps.push(
      () => a.level - b.level,
      () => flag(a) - flag(b),
    );
  steps.push(...rest.map((order) => () => byKey(order)), ...names.map((name) => () => byKey(plain(name))));
  for (const step of steps) {
    const result = step();
    if (result !== 0) return result;
  }
  return 0;
}

function keptValues(
  query: AggregateQuery,
  columns: Columns,
  rows: readonly Row[],
  keyed: readonly (readonly Cell[])[],
  index: number,
) {
  const groups = new Map<string, { value: Cell; rows: Row[] }>();
  for (const [at, key] of keyed.entries()) {
    const value = key[index] ?? null;
    const group = groups.get(keyText(value)) ?? { value, rows: [] };
    group.rows.push(rows[at] ?? {});
    groups.set(keyText(value), group);
  }
  const by = query.top?.measure ?? "";
  const ranked = [...groups].map(([text, group]) => ({
    text,
    value: group.value,
    measure: computeMeasures(query, columns, group.rows)[by] ?? null,
  }));
  const last = (x: Cell, y: Cell, sign: number) =>
    x === null || y === null ? (x === null ? 1 : 0) - (y === null ? 1 : 0) : compare(x, y) * sign;
  const sign = query.top?.ascending ? 1 : -1;
  ranked.sort((a, b) => last(a.measure, b.measure, sign) || last(a.value, b.value, 1));
  return new Set(ranked.slice(0, query.top?.count).map(({ text }) => text));
}

function nameOf({ alias, column }: Dimension): string {
  return alias || column;
}

const OPS: Readonly<Record<string, string>> = { countDistinct: "count_distinct" };

export function measureName({ op, column, alias }: Measure): string {
  return alias || [OPS[op] ?? op, ...(column === undefined ? [] : [column])].join("_");
}

function outputSpecs(query: AggregateQuery, columns: Columns): Columns {
  const specs: Record<string, ColumnSpec> = {};
  for (const dimension of query.dimensions) {
    const integer = { kind: "integer", scale: 0 } as const;
    const column = columns[dimension.column] ?? integer;
    specs[nameOf(dimension)] = dimension.bucket?.kind === "part" ? integer : column;
  }
  for (const measure of query.measures) specs[measureName(measure)] = measureSpec(measure, columns);
  return specs;
}

function measureSpec({ op, column }: Measure, columns: Columns): ColumnSpec {
  if (op === "count" || op === "countDistinct") return { kind: "integer", scale: 0 };
  const spec = columns[column ?? ""] ?? { kind: "integer", scale: 0 };
  return op === "min" || op === "max" || op === "sum" ? spec : { kind: "float", scale: 0 };
}

function bucket({ column, bucket: how }: Dimension, row: Row, columns: Columns): Cell {
  const value = row[column] ?? null;
  if (value === null || how === undefined) return value;
  if (how.kind === "bin" && typeof value === "bigint") {
    const unit = 10n ** BigInt(columns[column]?.scale ?? 0);
    const [width, origin] = [BigInt(how.width) * unit, BigInt(how.origin) * unit];
    const rest = (((value - origin) % width) + width) % width;
    return value - rest;
  }
  const date = new Date(`${value}T00:00:00Z`);
  const weekday = ((date.getUTCDay() + 6) % 7) + 1;
  if (how.kind === "part")
    return BigInt(
      { dayOfWeek: ((weekday - how.weekStart + 7) % 7) + 1, monthOfYear: date.getUTCMonth() + 1 }[
        how.part as "dayOfWeek"
      ] ?? 0,
    );
  if (how.kind === "grain" && how.unit === "month") return `${String(value).slice(0, 8)}01`;
  date.setUTCDate(date.getUTCDate() - ((weekday - (how.kind === "grain" ? how.weekStart : 1) + 7) % 7));
  return date.toISOString().slice(0, 10);
}

function computeMeasures(query: AggregateQuery, columns: Columns, rows: readonly Row[]): Record<string, Cell> {
  return Object.fromEntries(query.measures.map((each) => [measureName(each), computeMeasure(each, columns, rows)]));
}

function computeMeasure(measure: Measure, columns: Columns, all: readonly Row[]): Cell {
  const rows = all.filter((row) => !measure.filter || test(measure.filter, row, columns) === true);
  const { column } = measure;
  if (column === undefined) return BigInt(rows.length);
  const values = rows.map((row) => row[column] ?? null).filter((value) => value !== null);
  const scale = columns[column]?.scale ?? 0;
  const sorted = values.toSorted(compare);
  switch (measure.op) {
    case "count":
      return BigInt(values.length);
    case "countDistinct":
      return BigInt(new Set(values.map(keyText)).size);
    case "min":
      return sorted[0] ?? null;
    case "max":
      return sorted.at(-1) ?? null;
    case "sum":
      return values.length === 0 ? null : sum(values);
    case "avg":
      return values.length === 0 ? null : numberOf(sum(values), scale) / values.length;
    case "variance":
      return variance(values.map((value) => numberOf(value, scale)));
    default:
      return median(sorted.map((value) => numberOf(value, scale)));
  }
}

function sum(values: readonly Cell[]): bigint | number {
  if (values.every((value) => typeof value === "bigint")) return values.reduce((total, value) => total + value, 0n);
  return values.reduce<number>((total, value) => total + Number(value), 0);
}

function numberOf(value: Cell, scale: number): number {
  return typeof value === "bigint" ? Number(value) / 10 ** scale : Number(value);
}

function variance(values: readonly number[]): Cell {
  if (values.length < 2) return null;
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  return values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1);
}

function median(sorted: readonly number[]): Cell {
  if (sorted.length === 0) return null;
  const [low = 0, high = 0] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === high ? low : low / 2 + high / 2;
}

/** NaN is the greatest number; texts are in the order of their code points. */
function compare(a: Cell, b: Cell): number {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0);
    return a - b === 0 || a === b ? 0 : a < b ? -1 : 1;
  }
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const [x, y] = [a ?? 0, b ?? 0];
  return x === y ? 0 : x < y ? -1 : 1;
}

function keyText(value: Cell | readonly Cell[]): string {
  return JSON.stringify(value, (_, each) => {
    if (typeof each === "bigint") return `${each}n`;
    return typeof each === "number" ? `${each === 0 ? 0 : each}f` : each;
  });
}

/** A condition in three-valued logic: null is unknown. */
function test(filter: Filter, row: Row, columns: Columns): boolean | null {
  switch (filter.kind) {
    case "all":
      return filter.filters.map((each) => test(each, row, columns)).reduce<boolean | null>(and, true);
    case "any":
      return not(filter.filters.map((each) => not(test(each, row, columns))).reduce<boolean | null>(and, true));
    case "not":
      return not(test(filter.filter, row, columns));
    case "isNull":
      return (row[filter.column] ?? null) === null;
    case "compare": {
      const order = against(filter.column, filter.value, row, columns);
      if (order === null) return null;
      const passes = { equal: order === 0, notEqual: order !== 0, less: order < 0, lessOrEqual: order <= 0 };
      return { ...passes, greater: order > 0, greaterOrEqual: order >= 0 }[filter.op];
    }
    case "in": {
      const isNull = (row[filter.column] ?? null) === null;
      if (isNull) return filter.values.includes(null) ? true : filter.values.length === 0 ? false : null;
      return filter.values.some((value) => value !== null && against(filter.column, value, row, columns) === 0);
    }
    case "range": {
      if ((row[filter.column] ?? null) === null)
        return filter.from === undefined && filter.to === undefined ? false : null;
      const from = filter.from === undefined ? 1 : against(filter.column, filter.from, row, columns);
      const to = filter.to === undefined ? -1 : against(filter.column, filter.to, row, columns);
      return (from ?? 0) >= (filter.fromExclusive ? 1e-300 : 0) && (to ?? 0) <= (filter.toExclusive ? -1e-300 : 0);
    }
    case "text":
      return textMatches(filter, row[filter.column] ?? null);
  }
}

function and(a: boolean | null, b: boolean | null): boolean | null {
  if (a === false || b === false) return false;
  return a === null || b === null ? null : true;
}

function not(value: boolean | null): boolean | null {
  return value === null ? null : !value;
}

function against(column: string, value: Scalar, row: Row, columns: Columns): number | null {
  const cell = row[column] ?? null;
  return cell === null ? null : compare(cell, toCell(value, columns[column]));
}

function textMatches({ op, text, ignoreCase }: Extract<Filter, { kind: "text" }>, cell: Cell): boolean | null {
  if (cell === null) return null;
  const [subject, wanted] = [String(cell), text].map((each) => (ignoreCase ? each.toLowerCase() : each));
  if (subject === undefined || wanted === undefined) return null;
  if (op === "contains") return subject.includes(wanted);
  if (op === "startsWith") return subject.startsWith(wanted);
  if (op === "endsWith") return subject.endsWith(wanted);
  const pattern = [...wanted].map((each) =>
    each === "*" ? ".*" : each === "?" ? "." : each.replace(/[\\^$.|+()[\]{}]/g, "\\$&"),
  );
  return new RegExp(`^${pattern.join("")}$`, "su").test(subject);
}

/** Reads a JSON value of a column. */
export function toCell(value: unknown, spec: ColumnSpec | undefined): Cell {
  if (value === null || value === undefined) return null;
  if (spec?.kind === "integer") return BigInt(String(value));
  if (spec?.kind === "float") return Number(value);
  if (spec?.kind !== "decimal") return typeof value === "boolean" ? value : String(value);
  const [whole = "0", fraction = ""] = String(value).replace("-", "").split(".");
  const digits = BigInt(whole + fraction.slice(0, spec.scale).padEnd(spec.scale, "0"));
  return String(value).startsWith("-") ? -digits : digits;
}

function toJson(value: Cell, spec: ColumnSpec | undefined): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "bigint") return value;
  if (spec?.kind !== "decimal") return String(value);
  const digits = String(value < 0n ? -value : value).padStart(spec.scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -spec.scale)}.${digits.slice(-spec.scale)}`;
}
