import type { FileScan } from "../../engine/file-scan.ts";
import { findTextFiles } from "../beginning.ts";
import type { Connector } from "../connector.ts";
import { fileConnector } from "../file-connector.ts";
import { toUtf8 } from "../transcode.ts";
import { settingsOf } from "./options.ts";
import { parseCsvRows } from "./parse-rows.ts";

/** Reads comma-separated values and their relatives. */
export const csv: Connector = delimitedText("csv");

/** A connector for delimited text; `delimiter` is what it takes unless told otherwise. */
export function delimitedText(kind: string, delimiter?: string): Connector {
  return fileConnector(kind, async (source, context) => {
    const { encoding, parsers, ...settings } = settingsOf(kind, source.options, delimiter);
    const { origins, cut } = await findTextFiles(source, context, encoding);
    const files = await toUtf8(origins, encoding, context);
    const scan: FileScan = {
      kind: "csv",
      ...files,
      ...settings,
      cut,
      origins,
      ...(parsers.sql && { parsers: parsers.sql }),
    };
    return parsers.rows.size === 0 ? scan : parseCsvRows(scan, parsers.rows, context);
  });
}
