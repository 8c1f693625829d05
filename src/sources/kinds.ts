import { suggest } from "../config/suggest.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { SourceKind, SourceSpec } from "./connector.ts";
import { csv } from "./csv/kind.ts";
import { json } from "./json/kind.ts";
import { mysql } from "./mysql/kind.ts";
import { parquet } from "./parquet/kind.ts";
import { postgres } from "./postgres/kind.ts";
import { shownUri } from "./shown-uri.ts";
import { tsv } from "./tsv/kind.ts";
import { xml } from "./xml/kind.ts";

/** Every kind of source that the driver brings along. */
export const sourceKinds: readonly SourceKind[] = [csv, tsv, json, xml, parquet, mysql, postgres];

/** The kind that the source names, else the one of the URI's scheme or ending. Throws UNKNOWN_FORMAT. */
export function chooseKind<K extends Pick<SourceKind, "kind" | "extensions" | "schemes">>(
  available: readonly K[],
  source: Pick<SourceSpec, "format" | "uri">,
): K {
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
  const scheme = /^((?:jdbc:)?[a-z][a-z0-9+.-]*):\/\//i.exec(source.uri)?.[1]?.toLowerCase();
  const spoken = available.find(({ schemes }) => scheme !== undefined && schemes?.includes(scheme));
  if (spoken) return spoken;
  const path = scheme === "http" || scheme === "https" ? source.uri.replace(/[?#].*$/, "") : source.uri;
  const ending = /\.([^./]+)$/.exec(path.replace(/\.(gz|zst)$/i, ""))?.[1]?.toLowerCase();
  const found = available.find(({ extensions }) => ending !== undefined && extensions.includes(ending));
  if (found) return found;
  const shown = shownUri(source.uri);
  throw new DriverError("UNKNOWN_FORMAT", `the ending of ${JSON.stringify(shown)} tells no format`, {
    metadata: { uri: shown, known: kinds.join(", ") },
  });
}
