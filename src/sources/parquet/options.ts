import { columnOptions } from "../common-options.ts";
import type { OptionSchema } from "../options.ts";

/** What Parquet can be told; types and names are in the file. */
export const options = { ...columnOptions } as const satisfies OptionSchema;
