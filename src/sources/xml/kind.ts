import type { SourceKind } from "../connector.ts";
import { options, settingsOf } from "./options.ts";

/** XML. */
export const xml: SourceKind = {
  kind: "xml",
  summary:
    "XML: a row for each record element. Records are written to disk before the engine reads them, which takes about as much room as the texts in the document until the load ends. The document type is read over: entities are refused, default values of attributes are not applied.",
  extensions: ["xml"],
  options,
  check: (given) => void settingsOf(given),
};
