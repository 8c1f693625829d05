import type { FileScan } from "../../engine/file-scan.ts";
import { badRowsOf, encodingOf, sharedSettings } from "../common-options.ts";
import type { Connector, SourceSpec } from "../connector.ts";
import { invalidOption, parseOptions } from "../option-values.ts";
import { findFiles } from "../source-files.ts";
import { toUtf8 } from "../transcode.ts";
import { quoteLongNumbers } from "./long-numbers.ts";
import { options } from "./options.ts";

/** Reads JSON: an array of objects, or one object for each line. */
export const json: Connector = {
  kind: "json",
  summary: "JSON: an array of objects, or one object for each line.",
  extensions: ["json", "ndjson", "jsonl"],
  options,
  check: (given) => void settingsOf(given),
  async resolve(source, context): Promise<FileScan> {
    const { encoding, json: asked, ...settings } = settingsOf(source.options);
    const layout = asked.layout === "auto" && hasLines(source.uri) ? "newline" : asked.layout;
    const origins = await findFiles(source.uri, context);
    const files = await toUtf8(origins, encoding, context);
    const paths = await quoteLongNumbers(files.paths, context);
    const options = { ...asked, layout, plainPaths: files.paths };
    return { kind: "json", ...settings, paths, totalBytes: files.totalBytes, json: options, origins };
  },
};

function settingsOf(given: SourceSpec["options"]) {
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
  };
}

function layoutOf(option: string | undefined): "auto" | "array" | "newline" {
  return option === "array" || option === "newline" ? option : "auto";
}

/** Whether the ending says that each line is a record. */
function hasLines(uri: string): boolean {
  return /\.(ndjson|jsonl)(\.(gz|zst))?$/i.test(uri);
}
