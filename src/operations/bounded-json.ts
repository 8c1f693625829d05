import { configurationDigest } from "./identity.ts";
import type { JsonObject } from "./model.ts";

/** Keeps a JSON object no longer than `maxChars` as text; of a longer one its beginning as `truncated`, and its digest. */
export function boundedJson(value: JsonObject, maxChars: number): JsonObject {
  const text = JSON.stringify(value, (_key, item) => (typeof item === "bigint" ? item.toString() : item));
  if (text.length <= maxChars) return value;
  return { truncated: text.slice(0, maxChars), sha256: configurationDigest(value) };
}
