import type { CsvScanOptions } from "../../engine/file-scan.ts";
import { badRowsOf, encodingOf, sharedSettings } from "../common-options.ts";
import type { Connector, SourceSpec } from "../connector.ts";
import { invalidOption, type OptionValues, parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { findFiles } from "../source-files.ts";
import { toUtf8 } from "../transcode.ts";
import { options } from "./options.ts";

/** Reads comma-separated values and their relatives. */
export const csv: Connector = delimitedText({
  kind: "csv",
  summary: "Comma-separated values, and other delimited text.",
  extensions: ["csv", "txt"],
  options,
});

interface DelimitedText {
  readonly kind: string;
  readonly summary: string;
  readonly extensions: readonly string[];
  readonly options: OptionSchema;
  readonly delimiter?: string;
}

/** A connector for delimited text; `delimiter` is what it takes unless told otherwise. */
export function delimitedText(names: DelimitedText): Connector {
  return {
    kind: names.kind,
    summary: names.summary,
    extensions: names.extensions,
    options: names.options,
    check: (given) => void settingsOf(names, given),
    async resolve(source, context) {
      const { encoding, ...settings } = settingsOf(names, source.options);
      const origins = await findFiles(source.uri, context);
      const files = await toUtf8(origins, encoding, context);
      return { kind: "csv", ...files, ...settings, origins };
    },
  };
}

function settingsOf(names: DelimitedText, given: SourceSpec["options"]) {
  const values = parseOptions(names.kind, names.options, given);
  return {
    csv: csvOptionsOf(values, names.delimiter),
    encoding: encodingOf(values),
    ...sharedSettings(values),
    badRows: badRowsOf(values),
  };
}

function csvOptionsOf(values: OptionValues, usualDelimiter: string | undefined): CsvScanOptions {
  const delimiter = delimiterOf(values) ?? usualDelimiter;
  const quote = characterOf(values, "quote", true);
  const escapeCharacter = characterOf(values, "escape", true);
  const comment = characterOf(values, "comment", false);
  const header = values.flag("header");
  const nullStrings = values.list("nullStrings");
  const dateFormat = values.text("dateFormat");
  const timestampFormat = values.text("timestampFormat");
  const decimalSeparator = values.text("decimalSeparator");
  const skipLines = values.integer("skipLines");
  if (delimiter !== undefined && decimalSeparator === delimiter)
    throw invalidOption("decimalSeparator", decimalSeparator, "another character than the delimiter");
  return {
    ...(delimiter !== undefined && { delimiter }),
    ...(quote !== undefined && { quote }),
    ...(escapeCharacter !== undefined && { escape: escapeCharacter }),
    ...(comment !== undefined && { comment }),
    ...(header !== undefined && { header }),
    ...(nullStrings && { nullStrings }),
    ...(dateFormat !== undefined && { dateFormat }),
    ...(timestampFormat !== undefined && { timestampFormat }),
    ...(decimalSeparator !== undefined && { decimalSeparator: decimalSeparator === "," ? "," : "." }),
    ...(skipLines !== undefined && { skipLines }),
  };
}

function delimiterOf(values: OptionValues): string | undefined {
  const raw = values.text("delimiter");
  const delimiter = raw === "\\t" ? "\t" : raw;
  if (delimiter === undefined) return undefined;
  if (delimiter === "" || Buffer.byteLength(delimiter) > 4 || /[\r\n]/.test(delimiter))
    throw invalidOption("delimiter", raw, "one to four characters without line ends");
  return delimiter;
}

function characterOf(values: OptionValues, name: string, mayBeEmpty: boolean): string | undefined {
  const text = values.text(name);
  if (text === undefined || (text === "" && mayBeEmpty)) return text;
  if (Buffer.byteLength(text) !== 1 || /[\r\n]/.test(text))
    throw invalidOption(name, text, `one ASCII character${mayBeEmpty ? " or nothing" : ""}`);
  return text;
}
