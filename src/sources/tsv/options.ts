import { options as csvOptions } from "../csv/options.ts";
import type { OptionSchema } from "../options.ts";

/** What tab-separated text can be told: what any delimited text can. */
export const options = {
  ...csvOptions,
  delimiter: { ...csvOptions.delimiter, default: "a tab" },
} as const satisfies OptionSchema;
