import type { SourceKind } from "../connector.ts";
import { options, settingsOf } from "./options.ts";

/** JSON. */
export const json: SourceKind = {
  kind: "json",
  summary: "JSON: an array of objects, or one object for each line.",
  extensions: ["json", "ndjson", "jsonl"],
  options,
  check: (given) => void settingsOf(given),
};
