import type { JsonValue } from "../../../node/src/index.ts";
import { UsageError } from "../usage-error.ts";

/** `key=value`; the value may hold anything. */
export function parseAssignment(text: string): readonly [key: string, value: string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`"${text}": write KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/**
 * Options of a source: `key=value`. A value that begins with `{` or `[` is JSON; `key.name=value` puts a value into the
 * map `key`, for example `types.zip=VARCHAR`. The driver takes text for any option.
 */
export function parseSourceOptions(texts: readonly string[]): Readonly<Record<string, JsonValue>> {
  const options: Record<string, JsonValue> = {};
  for (const text of texts) {
    const [key, value] = parseAssignment(text);
    const dot = key.indexOf(".");
    if (dot < 1) options[key] = json(value, text);
    else options[key.slice(0, dot)] = { ...mapOf(options[key.slice(0, dot)]), [key.slice(dot + 1)]: value };
  }
  return options;
}

function mapOf(value: JsonValue | undefined) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function json(value: string, text: string): JsonValue {
  if (!/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as JsonValue;
  } catch (error) {
    throw new UsageError(`"${text}": ${(error as Error).message}`);
  }
}

/** Labels: `key=value`. */
export function parseLabels(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map(parseAssignment));
}
