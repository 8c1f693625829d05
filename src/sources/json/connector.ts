import type { Connector } from "../connector.ts";
import { fileConnector } from "../file-connector.ts";
import { findFiles } from "../source-files.ts";
import { toUtf8 } from "../transcode.ts";
import { quoteLongNumbers } from "./long-numbers.ts";
import { settingsOf } from "./options.ts";

/** Reads JSON: an array of objects, or one object for each line. */
export const json: Connector = fileConnector("json", async (source, context) => {
  const { encoding, json: asked, ...settings } = settingsOf(source.options);
  const origins = await findFiles(source, context);
  const layout = asked.layout === "auto" && origins.some(({ path }) => hasLines(path)) ? "newline" : asked.layout;
  const files = await toUtf8(origins, encoding, context);
  const paths = await quoteLongNumbers(files.paths, context);
  const options = { ...asked, layout, plainPaths: files.paths };
  return { kind: "json", ...settings, paths, totalBytes: files.totalBytes, json: options, origins };
});

/** Whether the ending says that each line is a record. */
function hasLines(path: string): boolean {
  return /\.(ndjson|jsonl)(\.(gz|zst))?$/i.test(path);
}
