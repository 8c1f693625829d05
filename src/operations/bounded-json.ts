import type { JsonObject } from "./model.ts";

/** Keeps a JSON object that is no longer than `maxChars` as text; of a longer one, its beginning as `truncated`. */
export function boundedJson(value: JsonObject, maxChars: number): JsonObject {
  const text = JSON.stringify(value, (_key, item) => (typeof item === "bigint" ? item.toString() : item));
  return text.length <= maxChars ? value : { truncated: text.slice(0, maxChars) };
}
