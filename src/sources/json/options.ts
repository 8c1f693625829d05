import { badRowsOf, encodingOf, fileOptions, sharedSettings, textOptions } from "../common-options.ts";
import type { SourceSpec } from "../connector.ts";
import { invalidOption, parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { parserOptions, parsersOf } from "../parsers/options.ts";

/** What JSON can be told. */
export const options = {
  layout: {
    type: "string",
    doc: "How the records stand in the file: one `array` of objects, or an object for each line (`newline`).",
    default: "auto: found from the first characters",
    choices: ["auto", "array", "newline"],
  },
  ...textOptions,
  ...fileOptions,
  ...parserOptions,
} as const satisfies OptionSchema;

/** What the options say. Throws UNKNOWN_OPTION, INVALID_OPTION. */
export function settingsOf(given: SourceSpec["options"]) {
  const values = parseOptions("json", options, given);
  const layout = layoutOf(values.text("layout"));
  const badRows = badRowsOf(values);
  if (badRows.policy === "skip" && layout === "array")
    throw invalidOption("badRows", "skip", "possible for an array: after a broken record the next one can't be found");
  const dateFormat = values.text("dateFormat");
  const timestampFormat = values.text("timestampFormat");
  return {
    json: {
      layout,
      ...(dateFormat !== undefined && { dateFormat }),
      ...(timestampFormat !== undefined && { timestampFormat }),
    },
    encoding: encodingOf(values),
    ...sharedSettings(values),
    badRows,
    parsers: parsersOf(values),
  };
}

function layoutOf(option: string | undefined): "auto" | "array" | "newline" {
  return option === "array" || option === "newline" ? option : "auto";
}
