import type { SourceKind } from "../connector.ts";
import { settingsOf } from "../csv/options.ts";
import { options } from "./options.ts";

/** Tab-separated values. */
export const tsv: SourceKind = {
  kind: "tsv",
  summary: "Tab-separated values.",
  extensions: ["tsv", "tab"],
  options,
  check: (given) => void settingsOf("tsv", given, "\t"),
};
