import type { SourceKind } from "../connector.ts";
import { options, settingsOf } from "./options.ts";

/** XML. */
export const xml: SourceKind = {
  kind: "xml",
  summary:
    "XML: a row for each record element. The document type is read over: entities are refused, default values of attributes are not applied.",
  extensions: ["xml"],
  options,
  check: (given) => void settingsOf(given),
};
