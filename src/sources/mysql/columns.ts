import { suggest } from "../../config/suggest.ts";
import type { ScanColumn } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { invalidOption } from "../option-values.ts";
import type { MysqlSettings } from "./options.ts";
import { quoteName } from "./quoting.ts";
import type { FieldForm } from "./text-form.ts";
import { type ColumnType, columnTypeOf, type FieldDefinition, type TypeOptions } from "./types.ts";

/** What a load selects, and what becomes of it. */
export interface Selection {
  readonly columns: readonly ScanColumn[];
  readonly forms: readonly FieldForm[];
  /** The select list; the names of its columns do not matter. */
  readonly list: string;
  readonly warnings: readonly string[];
}

/** Chooses columns and their types. Throws UNKNOWN_COLUMN, INVALID_OPTION. */
export function selectionOf(
  fields: readonly FieldDefinition[],
  settings: MysqlSettings,
  options: TypeOptions,
): Selection {
  const { keep } = settings;
  const declared = new Map(Object.entries(settings.declaredTypes ?? {}));
  for (const name of declared.keys()) fieldNamed(fields, name, "types");
  const kept = keep === undefined ? fields : keep.map((name) => fieldNamed(fields, name, "columns"));
  const typed = kept.map((field) => ({ field, type: declaredOr(field, declared.get(field.name), options) }));
  return {
    columns: typed.map(({ field, type }) => ({
      name: field.name,
      sourceName: field.name,
      type: type.type,
      origin: declared.has(field.name) ? "declared" : "exact",
      ...(type.form === "binary" && { encoding: "hex" }),
    })),
    forms: typed.map(({ field, type }) => ({
      name: field.name,
      form: type.form,
      zeroDatesAreNull: options.zeroDates === "null",
    })),
    list: typed
      .map(({ field, type: { select } }, index) => {
        const column = quoteName(field.name);
        // Names of their own: mysql2 makes code of those of the columns.
        return `${select === undefined ? column : select(column)} AS c${index}`;
      })
      .join(", "),
    warnings: typed.flatMap(({ type }) => (type.warning === undefined ? [] : [type.warning])),
  };
}

/** Throws UNKNOWN_COLUMN. */
export function fieldNamed(fields: readonly FieldDefinition[], name: string, option: string): FieldDefinition {
  const found = fields.find((field) => field.name === name);
  if (found) return found;
  const names = fields.map((field) => field.name);
  throw new DriverError(
    "UNKNOWN_COLUMN",
    `option ${option}: the source has no column ${JSON.stringify(name)}${suggest(name, names)}`,
    { metadata: { column: name, option } },
  );
}

/** A declared type takes the place of the source's own: the engine casts the text, as it does with that of a file. */
function declaredOr(field: FieldDefinition, declared: string | undefined, options: TypeOptions): ColumnType {
  const own = columnTypeOf(field, options);
  if (declared === undefined) return own;
  if (own.form === "binary")
    throw invalidOption("types", `${field.name}=${declared}`, "possible for a column of bytes");
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(declared)?.[1];
  const isNumber = own.form === "plain" || own.warning !== undefined;
  if (scale !== undefined && isNumber)
    // The engine takes a hundred times as long for decimals that it would have to round.
    return { type: declared, form: "plain", select: (column) => `ROUND(${column}, ${scale})` };
  const isText = declared === "VARCHAR" && own.form !== "plain";
  return { type: declared, form: isText ? "text" : own.form, ...(own.select && { select: own.select }) };
}
