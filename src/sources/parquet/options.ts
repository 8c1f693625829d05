import { fileOptions, sharedSettings } from "../common-options.ts";
import type { SourceSpec } from "../connector.ts";
import { parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";

/** What Parquet can be told; types and names are in the file. */
export const options = { ...fileOptions } as const satisfies OptionSchema;

/** What the options say. Throws UNKNOWN_OPTION, INVALID_OPTION. */
export function settingsOf(given: SourceSpec["options"]) {
  return sharedSettings(parseOptions("parquet", options, given));
}
