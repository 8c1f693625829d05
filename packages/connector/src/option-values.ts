import { ConnectorError } from "./connector-error.ts";
import type { OptionEntry, OptionSchema } from "./options.ts";

/** A value of an option after its check. */
export type OptionValue = string | boolean | number | readonly string[] | Readonly<Record<string, string>>;

/** Options after their check. Each method answers undefined for an option that was left out. */
export class OptionValues {
  readonly #values: ReadonlyMap<string, OptionValue>;

  constructor(values: ReadonlyMap<string, OptionValue>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  flag(name: string): boolean | undefined {
    const value = this.#values.get(name);
    return typeof value === "boolean" ? value : undefined;
  }

  integer(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : undefined;
  }

  list(name: string): readonly string[] | undefined {
    const value = this.#values.get(name);
    return Array.isArray(value) ? (value as readonly string[]) : undefined;
  }

  map(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.#values.get(name);
    return typeof value === "object" && !Array.isArray(value) ? (value as Readonly<Record<string, string>>) : undefined;
  }
}

/** Words for the known name that an unknown one is near to, or nothing. */
type Suggest = (unknown: string, known: readonly string[]) => string;

/**
 * Checks names and values: throws a ConnectorError, UNKNOWN_OPTION or INVALID_OPTION. Every type may come as text; null leaves an
 * option out.
 */
export function parseOptions(
  kind: string,
  schema: OptionSchema,
  options: Readonly<Record<string, unknown>>,
  { suggest = () => "" }: { readonly suggest?: Suggest } = {},
): OptionValues {
  const values = new Map<string, OptionValue>();
  const singles: (readonly [name: string, key: string, raw: unknown])[] = [];
  for (const [name, raw] of Object.entries(options)) {
    const entry = Object.hasOwn(schema, name) ? schema[name] : undefined;
    const [map, key] = entry ? [] : mapEntryOf(name, schema);
    if (map !== undefined) singles.push([map, key ?? "", raw]);
    else if (!entry) {
      const hint = suggest(name, Object.keys(schema));
      throw new ConnectorError("UNKNOWN_OPTION", `${kind} has no option ${JSON.stringify(name)}${hint}`, {
        option: name,
        format: kind,
      });
    } else if (raw !== null && raw !== undefined) values.set(name, parseValue(name, entry, raw, suggest));
  }
  for (const [name, key, raw] of singles) {
    if (raw === null || raw === undefined) continue;
    if (typeof raw !== "string" || raw.includes("\0")) throw invalidOption(`${name}.${key}`, raw, "text");
    values.set(name, { ...(values.get(name) as Readonly<Record<string, string>> | undefined), [key]: raw });
  }
  return new OptionValues(values);
}

/** A name such as `types.zip`: one entry of a map, whose text needs no escaping then. */
function mapEntryOf(name: string, schema: OptionSchema): readonly [map?: string, key?: string] {
  const at = name.indexOf(".");
  const map = name.slice(0, Math.max(0, at));
  const isMap = Object.hasOwn(schema, map) && schema[map]?.type === "stringMap" && at < name.length - 1;
  return isMap ? [map, name.slice(at + 1)] : [];
}

/** An INVALID_OPTION error: names the option, what it holds and what it should. */
export function invalidOption(name: string, raw: unknown, expected: string): ConnectorError {
  const shown = (typeof raw === "string" ? JSON.stringify(raw) : (JSON.stringify(raw) ?? String(raw))).slice(0, 200);
  return new ConnectorError("INVALID_OPTION", `option ${name}: ${shown} is not ${expected}`, {
    option: name,
    expected,
  });
}

function parseValue(name: string, entry: OptionEntry, raw: unknown, suggest: Suggest): OptionValue {
  const fail = (expected: string) => invalidOption(name, raw, expected);
  switch (entry.type) {
    case "string": {
      if (typeof raw !== "string") throw fail("text");
      if (raw.includes("\0")) throw fail("text without the character U+0000");
      if (entry.choices && !entry.choices.includes(raw))
        throw fail(`one of ${entry.choices.join(", ")}${suggest(raw, entry.choices)}`);
      return raw;
    }
    case "boolean":
      return booleanOf(raw) ?? raise(fail("true or false"));
    case "integer":
      return integerOf(raw) ?? raise(fail("a whole number that is not negative"));
    case "stringList":
      return listOf(raw) ?? raise(fail('a list: a,b or ["a","b"]'));
    case "stringMap":
      return mapOf(raw) ?? raise(fail('a map: a=INTEGER,b=DATE or {"a":"INTEGER"}'));
  }
}

function raise(error: ConnectorError): never {
  throw error;
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  yes: true,
  no: false,
  1: true,
  0: false,
};

function booleanOf(raw: unknown): boolean | undefined {
  if (typeof raw === "boolean") return raw;
  const text = String(raw).toLowerCase();
  return Object.hasOwn(BOOLEANS, text) ? BOOLEANS[text] : undefined;
}

function integerOf(raw: unknown): number | undefined {
  const value =
    typeof raw === "number" ? raw : typeof raw === "string" && /^\d+$/.test(raw.trim()) ? Number(raw) : Number.NaN;
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function listOf(raw: unknown): readonly string[] | undefined {
  const value = typeof raw === "string" && raw.trimStart().startsWith("[") ? json(raw) : raw;
  if (typeof value === "string") return splitOutsideParentheses(value);
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string" && !item.includes("\0")))
    return undefined;
  return value;
}

function mapOf(raw: unknown): Readonly<Record<string, string>> | undefined {
  const value = typeof raw === "string" && raw.trimStart().startsWith("{") ? json(raw) : raw;
  if (typeof value === "string") return mapOfText(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  return entries.every(([, item]) => typeof item === "string") ? Object.fromEntries(entries) : undefined;
}

function mapOfText(text: string): Readonly<Record<string, string>> | undefined {
  const pairs = splitOutsideParentheses(text).map((pair) => {
    // The last sign, since a column's name may hold one and a type never does.
    const at = pair.lastIndexOf("=");
    return at > 0 ? ([pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const) : undefined;
  });
  return pairs.every((pair) => pair !== undefined) ? Object.fromEntries(pairs) : undefined;
}

/** Splits at commas, but not at those of `DECIMAL(18,2)`. */
function splitOutsideParentheses(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")") depth = Math.max(0, depth - 1);
    else if (text[at] === "," && depth === 0) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  const last = text.slice(start).trim();
  return last === "" && parts.length === 0 ? [] : [...parts, last];
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
