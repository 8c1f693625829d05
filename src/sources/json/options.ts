import { columnOptions, textOptions } from "../common-options.ts";
import type { OptionSchema } from "../options.ts";

/** What JSON can be told. */
export const options = {
  layout: {
    type: "string",
    doc: "How the records stand in the file: one `array` of objects, or an object for each line (`newline`).",
    default: "auto: found from the first characters",
    choices: ["auto", "array", "newline"],
  },
  ...textOptions,
  ...columnOptions,
} as const satisfies OptionSchema;
