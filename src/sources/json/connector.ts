import type { FileScan } from "../../engine/file-scan.ts";
import { findTextFiles } from "../beginning.ts";
import type { Connector } from "../connector.ts";
import { fileConnector } from "../file-connector.ts";
import { toUtf8 } from "../transcode.ts";
import { quoteLongNumbers } from "./long-numbers.ts";
import { settingsOf } from "./options.ts";
import { parseJsonRows } from "./parse-rows.ts";

import { keepWholeValues } from "./whole-values.ts";

/** Reads JSON: an array of objects, or one object for each line. */
export const json: Connector = fileConnector("json", async (source, context) => {
  const { encoding, json: asked, parsers, ...settings } = settingsOf(source.options);
  const { origins, cut } = await findTextFiles(source, context, encoding);
  const layout = asked.layout === "auto" && origins.some(({ path }) => hasLines(path)) ? "newline" : asked.layout;
  const files = await toUtf8(origins, encoding, context);
  if (cut) for (const path of files.paths) await keepWholeValues(path);
  const paths = await quoteLongNumbers(files.paths, context);
  const options = { ...asked, layout, plainPaths: files.paths };
  const scan: FileScan = {
    ...{ kind: "json", ...settings, paths, totalBytes: files.totalBytes, json: options, cut, origins },
    ...(parsers.sql && { parsers: parsers.sql }),
  };
  return parsers.rows.size === 0 ? scan : parseJsonRows(scan, parsers.rows, context);
});

/** Whether the ending says that each line is a record. */
function hasLines(path: string): boolean {
  return /\.(ndjson|jsonl)(\.(gz|zst))?$/i.test(path);
}
