import { quoteIdentifier } from "../quoting.ts";

/** What `json_group_structure` says of a value: the name of a type, `[element]`, or a structure by key. */
export type JsonStructure = string | readonly JsonStructure[] | { readonly [key: string]: JsonStructure };

const NUMBERS = new Set(["UBIGINT", "BIGINT", "HUGEINT", "DOUBLE"]);

/** A number type that text was put in the place of, because some numbers are too long for it. */
export function isLongNumber(plain: JsonStructure | undefined, quoted: JsonStructure): boolean {
  return typeof plain === "string" && NUMBERS.has(plain) && typeof quoted === "string" && !NUMBERS.has(quoted);
}

/**
 * The type that holds all values of a structure. Every number that a double can't hold exactly stands in quotes in
 * `quoted`, and as it was in `plain`; so the integers that remain have 15 digits at most.
 */
export function typeOfStructure(quoted: JsonStructure, plain: JsonStructure | undefined): string {
  if (typeof quoted === "string") return scalarType(quoted, plain);
  if (Array.isArray(quoted)) {
    const [element] = quoted as readonly JsonStructure[];
    const other = Array.isArray(plain) ? (plain as readonly JsonStructure[])[0] : undefined;
    return element === undefined ? "VARCHAR[]" : `${typeOfStructure(element, other)}[]`;
  }
  const members = Object.entries(quoted as Readonly<Record<string, JsonStructure>>);
  if (members.length === 0 || hasClash(members.map(([key]) => key))) return "VARCHAR";
  const others = typeof plain === "object" && !Array.isArray(plain) ? (plain as Record<string, JsonStructure>) : {};
  return `STRUCT(${members.map(([key, value]) => `${quoteIdentifier(key)} ${typeOfStructure(value, others[key])}`).join(", ")})`;
}

function scalarType(quoted: string, plain: JsonStructure | undefined): string {
  if (isLongNumber(plain, quoted)) {
    if (plain === "BIGINT" || plain === "UBIGINT") return plain;
    return plain === "HUGEINT" ? "DECIMAL(38,0)" : "VARCHAR";
  }
  if (quoted === "DOUBLE" || quoted === "BOOLEAN") return quoted;
  return NUMBERS.has(quoted) ? "BIGINT" : "VARCHAR";
}

/** Keys that SQL can't tell apart or name. */
export function hasClash(keys: readonly string[]): boolean {
  return keys.includes("") || new Set(keys.map((key) => key.toLowerCase())).size < keys.length;
}
