import type { ReadEngine } from "../engine/engine.ts";
import type { Column, JsonValue } from "../engine/types.ts";
import { decodePageToken, encodePageToken, isCount } from "../operations/page-token.ts";
import { jsonBytes } from "./answer.ts";
import { fetchRows } from "./fetch.ts";
import type { Freshness } from "./model.ts";
import { planRows, planSomeRows, type RowsQuery, type RowsRange } from "./plan-rows.ts";
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

/** The version that is paged, and the last row that was given, or, where its place would tell of rows left out, how many were given. */
export type RowsPosition = { readonly version: number } & (StoredPlace | { readonly skip: number });

/** A segment, and the row's number in it. */
interface StoredPlace {
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
  return decodePageToken(request.pageToken, identity(request), isPosition);
}

function isPosition(value: unknown): value is RowsPosition {
  const { version, segment, row, skip } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return isCount(version) && (isCount(skip) || (isCount(segment) && isCount(row)));
}

interface ListOptions {
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}

/** Reads one page. */
export async function listRows(
  engine: ReadEngine,
  versions: PinnedVersions,
  request: ListRowsRequest,
  position: RowsPosition | undefined,
  options: ListOptions,
): Promise<RowsPage> {
  const schema = versions.schema(request.dataset);
  const page = new Page(pageLimit(request.pageSize), options.maxBytes);
  const some = versions.hidesRows(request.dataset);
  const { columns, next } = some
    ? await readSome(engine, versions, request, position, page, options)
    : await readAll(engine, versions, request, position, page, options);
  const token = { version: schema.version, ...next };
  return {
    columns,
    rows: page.rows,
    nextPageToken: next ? encodePageToken(token, identity(request)) : "",
    version: schema.version,
  };
}

interface ReadPage {
  readonly columns: readonly Column[];
  /** Where the next page begins, if there is one. */
  readonly next: StoredPlace | { readonly skip: number } | undefined;
}

/** Of a version of which only some rows may be read, by the number of those before: the engine stops when it has found enough. */
async function readSome(
  engine: ReadEngine,
  versions: PinnedVersions,
  request: ListRowsRequest,
  position: RowsPosition | undefined,
  page: Page,
  { signal, maxBytes }: ListOptions,
): Promise<ReadPage> {
  const skip = position !== undefined && "skip" in position ? position.skip : 0;
  const { plan, columns } = planSomeRows(request, versions.schema(request.dataset), { skip, limit: page.room + 1 });
  const { rows } = await fetchRows(engine, plan, versions, { signal, enough: (some) => jsonBytes(some) > maxBytes });
  page.add(rows.map((row) => [...row, null, null]));
  return { columns, next: page.full ? { skip: skip + page.rows.length } : undefined };
}

/**
 * Segments are read one after the other, twice as many at a time as before, so that an unfiltered page touches
 * one and a rare match still is found in few statements.
 */
async function readAll(
  engine: ReadEngine,
  versions: PinnedVersions,
  request: ListRowsRequest,
  position: RowsPosition | undefined,
  page: Page,
  { signal, maxBytes }: ListOptions,
): Promise<ReadPage> {
  const schema = versions.schema(request.dataset);
  const segments = versions.get(request.dataset).segmentPaths.length;
  const limit = pageLimit(request.pageSize);
  const start = position !== undefined && "segment" in position ? position : { segment: 0, row: -1 };
  let [from, after, count] = [start.segment, start.row, 1];
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
  return { columns, next: page.next };
}

/** Rows up to a number and a size; at least one row. */
class Page {
  readonly rows: (readonly JsonValue[])[] = [];
  readonly #limit: number;
  readonly #maxBytes: number;
  #bytes = 0;
  #last: StoredPlace | undefined;
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
  get next(): StoredPlace | undefined {
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
