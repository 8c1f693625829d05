import type { ReadEngine } from "../engine/engine.ts";
import type { Column, JsonValue } from "../engine/types.ts";
import { decodePageToken, encodePageToken } from "../operations/page-token.ts";
import { jsonBytes } from "./answer.ts";
import { fetchRows } from "./fetch.ts";
import type { Freshness } from "./model.ts";
import { planRows, type RowsQuery, type RowsRange } from "./plan-rows.ts";
import type { PinnedVersions } from "./versions.ts";

/** A request for raw rows. */
export interface ListRowsRequest extends RowsQuery {
  readonly dataset: string;
  /** 0 for the current one, to which the page tokens then hold. */
  readonly version: number;
  /** 0 means 100; more than 10,000 is taken as 10,000. */
  readonly pageSize: number;
  readonly pageToken: string;
  /** Of what may be seen: a token goes on with no other rows than it began with. */
  readonly scopeHash: string;
  /** Of the current version; counts for the first page. */
  readonly freshness?: Freshness;
}

export interface RowsPage {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly JsonValue[])[];
  readonly nextPageToken: string;
  readonly version: number;
}

/** The last row that was given: its version, segment and number in it. */
export interface RowsPosition {
  readonly version: number;
  readonly segment: number;
  readonly row: number;
}

const DEFAULT_PAGE = 100;
const MAX_PAGE = 10_000;

/** The number of entries of a page that a client gets. */
export function pageLimit(pageSize: number): number {
  return Math.min(pageSize > 0 ? pageSize : DEFAULT_PAGE, MAX_PAGE);
}

/** Reads a page token of raw rows. Throws INVALID_PAGE_TOKEN. */
export function rowsPosition(request: ListRowsRequest): RowsPosition | undefined {
  return decodePageToken(request.pageToken, identity(request));
}

/**
 * Reads one page. Segments are read one after the other, twice as many at a time as before, so that an unfiltered page touches
 * one and a rare match still is found in few statements.
 */
export async function listRows(
  engine: ReadEngine,
  versions: PinnedVersions,
  request: ListRowsRequest,
  position: RowsPosition | undefined,
  { signal, maxBytes }: { readonly signal: AbortSignal; readonly maxBytes: number },
): Promise<RowsPage> {
  const schema = versions.schema(request.dataset);
  const segments = versions.get(request.dataset).segmentPaths.length;
  const limit = pageLimit(request.pageSize);
  const page = new Page(limit, maxBytes);
  let [from, after, count] = [position?.segment ?? 0, position?.row ?? -1, 1];
  // Also checks the request, if there are no segments.
  const { columns } = planRows(request, schema, { from, to: from, after, limit });
  while (from < segments && !page.full) {
    // One more row than fits tells whether there is another page.
    const range: RowsRange = { from, to: Math.min(segments, from + count), after, limit: page.room + 1 };
    const { plan } = planRows(request, schema, range);
    const { rows } = await fetchRows(engine, plan, versions, { signal, enough: (some) => jsonBytes(some) > maxBytes });
    page.add(rows);
    [from, after, count] = [range.to, -1, count * 2];
  }
  const next = page.next;
  return {
    columns,
    rows: page.rows,
    nextPageToken: next ? encodePageToken({ version: schema.version, ...next }, identity(request)) : "",
    version: schema.version,
  };
}

/** Rows up to a number and a size; at least one row. */
class Page {
  readonly rows: (readonly JsonValue[])[] = [];
  readonly #limit: number;
  readonly #maxBytes: number;
  #bytes = 0;
  #last: Omit<RowsPosition, "version"> | undefined;
  /** A row was left out, so there is another page. */
  full = false;

  constructor(limit: number, maxBytes: number) {
    this.#limit = limit;
    this.#maxBytes = maxBytes;
  }

  get room(): number {
    return this.#limit - this.rows.length;
  }

  /** Where the next page begins, if there is one. */
  get next(): Omit<RowsPosition, "version"> | undefined {
    return this.full ? this.#last : undefined;
  }

  /** Takes rows with segment and row number behind their values. */
  add(rows: readonly (readonly JsonValue[])[]): void {
    for (const row of rows) {
      const values = row.slice(0, -2);
      this.#bytes += jsonBytes(values);
      this.full = this.rows.length >= this.#limit || (this.rows.length > 0 && this.#bytes > this.#maxBytes);
      if (this.full) return;
      this.rows.push(values);
      this.#last = { segment: Number(row.at(-2)), row: Number(row.at(-1)) };
    }
  }
}

function identity({ dataset, version, columns, filter, scopeHash }: ListRowsRequest): unknown {
  return ["rows", dataset, version, columns, filter ?? null, scopeHash];
}
