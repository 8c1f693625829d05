import type { Connector } from "../connector.ts";
import { delimitedText } from "../csv/connector.ts";
import { options } from "./options.ts";

/** Reads tab-separated values. */
export const tsv: Connector = delimitedText({
  kind: "tsv",
  summary: "Tab-separated values.",
  extensions: ["tsv", "tab"],
  options,
  delimiter: "\t",
});
