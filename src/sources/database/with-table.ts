import type { SourceSpec } from "../connector.ts";
import { invalidOption } from "../option-values.ts";
import { parseDatabaseUrl } from "./url.ts";

/** The options of a source with the `#table` of its own URL, if it has one, among them. Throws INVALID_OPTION. */
export function withTable(options: SourceSpec["options"], uri: string): SourceSpec["options"] {
  const table = uri === "" ? undefined : parseDatabaseUrl(uri).table;
  if (table === undefined) return options;
  for (const name of ["table", "query"])
    if (options[name] !== undefined && options[name] !== null)
      throw invalidOption(name, options[name], `of use together with the URL's #${table}`);
  return { ...options, table };
}
