import { suggest } from "../config/suggest.ts";
import type { IncrementRule } from "../engine/increment.ts";
import type { Column, TypeKind } from "../engine/types.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { SourceSpec } from "../sources/connector.ts";
import type { FilterValue, RowFilter } from "../sources/row-filter.ts";

const NUMBERS: readonly TypeKind[] = ["integer", "decimal", "float"];
const TIMES: readonly TypeKind[] = ["date", "timestamp", "timestampTz"];

/** Throws INVALID_INCREMENT where a dataset of these columns can't be refreshed by the rule. */
export function requireRule(rule: IncrementRule | undefined, columns: readonly Column[]): void {
  if (rule === undefined) return;
  for (const name of [rule.watermark, ...rule.keys]) requireColumn(name, columns);
  const watermark = columns.find(({ name }) => name === rule.watermark);
  const { kind, type } = watermark ?? { kind: "other", type: "" };
  const isTime = TIMES.includes(kind);
  // A FLOAT is too coarse to say where a window begins.
  if ((!isTime && !NUMBERS.includes(kind)) || type === "FLOAT")
    throw invalid(`the watermark ${JSON.stringify(rule.watermark)} is ${type}, which is no number, date or time`, rule);
  const { overlap } = rule;
  if (overlap === undefined || "ms" in overlap === isTime) return;
  const wanted = isTime ? "a time" : "a number";
  throw invalid(`the watermark ${JSON.stringify(rule.watermark)} is ${type}: the overlap must be ${wanted}`, rule);
}

/** Throws INVALID_INCREMENT for what makes no sense whatever the columns are. */
export function requireSound(rule: IncrementRule | undefined, { limit }: Pick<SourceSpec, "limit">): void {
  if (rule === undefined) return;
  if (rule.watermark === "") throw invalid("a rule needs a watermark", rule);
  const twice = rule.keys.find((key, index) => rule.keys.indexOf(key) !== index);
  if (twice !== undefined) throw invalid(`the key ${JSON.stringify(twice)} is named twice`, rule);
  if (limit !== undefined) throw invalid("a source with a limit can't be refreshed by increments", rule);
}

/** Throws SCHEMA_CHANGED where an increment's columns are not the dataset's. */
export function requireSameColumns(present: readonly Column[], found: readonly Column[], dataset: string): void {
  const at = present.findIndex(({ name, type }, index) => found[index]?.name !== name || found[index]?.type !== type);
  if (at < 0 && present.length === found.length) return;
  const place = at < 0 ? present.length : at;
  const said = (column: Column | undefined) => (column ? `${JSON.stringify(column.name)} ${column.type}` : "nothing");
  throw new DriverError(
    "SCHEMA_CHANGED",
    `column ${place + 1} of "${dataset}" is ${said(present[place])}; the source now has ${said(found[place])}`,
    { metadata: { dataset, column: String(place + 1) } },
  );
}

/** The rows of a window, as far as the source can tell them. */
export function windowFilter(rule: IncrementRule, from: string, filter: RowFilter | undefined): RowFilter {
  const window = { kind: "compare", column: rule.watermark, op: "greaterOrEqual", value: filterValue(from) } as const;
  return filter === undefined ? window : { kind: "all", filters: [filter, window] };
}

/** Numbers that a double holds exactly are numbers to every source. */
function filterValue(from: string): FilterValue {
  return /^-?\d{1,15}$/.test(from) ? Number(from) : from;
}

function requireColumn(name: string, columns: readonly Column[]): void {
  const names = columns.map((column) => column.name);
  if (names.includes(name)) return;
  throw new DriverError(
    "INVALID_INCREMENT",
    `the dataset has no column ${JSON.stringify(name)}${suggest(name, names)}`,
    { metadata: { column: name } },
  );
}

function invalid(message: string, { watermark }: IncrementRule): DriverError {
  return new DriverError("INVALID_INCREMENT", message, { metadata: { column: watermark } });
}
