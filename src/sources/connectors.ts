import { suggest } from "../config/suggest.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Connector, SourceSpec } from "./connector.ts";
import { csv } from "./csv/connector.ts";
import { json } from "./json/connector.ts";
import { parquet } from "./parquet/connector.ts";
import { tsv } from "./tsv/connector.ts";

/** Every connector that the driver brings along. */
export const connectors: readonly Connector[] = [csv, tsv, json, parquet];

/** The connector that the source names, else the one of the URI's ending. Throws UNKNOWN_FORMAT. */
export function chooseConnector(available: readonly Connector[], source: SourceSpec): Connector {
  const kinds = available.map(({ kind }) => kind);
  if (source.format !== undefined && source.format !== "") {
    const named = available.find(({ kind }) => kind === source.format);
    if (named) return named;
    throw new DriverError(
      "UNKNOWN_FORMAT",
      `there is no format ${JSON.stringify(source.format)}${suggest(source.format, kinds)}`,
      { metadata: { format: source.format, known: kinds.join(", ") } },
    );
  }
  const ending = /\.([^./]+)$/.exec(source.uri.replace(/\.(gz|zst)$/i, ""))?.[1]?.toLowerCase();
  const found = available.find(({ extensions }) => ending !== undefined && extensions.includes(ending));
  if (found) return found;
  throw new DriverError("UNKNOWN_FORMAT", `the ending of ${JSON.stringify(source.uri)} tells no format`, {
    metadata: { uri: source.uri, known: kinds.join(", ") },
  });
}
