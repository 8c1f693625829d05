import type { ReadEngine } from "../engine/engine.ts";
import type { Column, JsonValue } from "../engine/types.ts";
import { decodePageToken, encodePageToken, isCount } from "../operations/page-token.ts";
import { fetchRows } from "./fetch.ts";
import { pageLimit } from "./list-rows.ts";
import type { Freshness } from "./model.ts";
import { planValues, type ValuesQuery } from "./plan-values.ts";
import type { PinnedVersions } from "./versions.ts";

/** A request for the different values of a column. */
export interface ListValuesRequest extends ValuesQuery {
  readonly dataset: string;
  /** 0 for the current one, to which the page tokens then hold. */
  readonly version: number;
  /** 0 means 100; more than 10,000 is taken as 10,000. */
  readonly pageSize: number;
  readonly pageToken: string;
  /** Of what may be seen: a token goes on with no other values than it began with. */
  readonly scopeHash: string;
  /** Of the current version; counts for the first page. */
  readonly freshness?: Freshness;
}

export interface ValuesPage {
  readonly column: Column;
  readonly values: readonly { readonly value: JsonValue; readonly count: number }[];
  readonly nextPageToken: string;
  readonly version: number;
}

/** The version that is paged, and the last value's text or, where there is none, how many values were given. */
export type ValuesPosition = { readonly version: number } & ({ readonly after: string } | { readonly skip: number });

/** Reads a page token of values. Throws INVALID_PAGE_TOKEN. */
export function valuesPosition(request: ListValuesRequest): ValuesPosition | undefined {
  return decodePageToken(request.pageToken, identity(request), isPosition);
}

function isPosition(value: unknown): value is ValuesPosition {
  const { version, after, skip } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return isCount(version) && (typeof after === "string" || isCount(skip));
}

/** Reads one page of values. */
export async function listValues(
  engine: ReadEngine,
  versions: PinnedVersions,
  request: ListValuesRequest,
  position: ValuesPosition | undefined,
  { signal }: { readonly signal: AbortSignal },
): Promise<ValuesPage> {
  const schema = versions.schema(request.dataset);
  const limit = pageLimit(request.pageSize);
  const start = position ?? { skip: 0 };
  const { plan, columns, keyed } = planValues(request, schema, start, limit + 1);
  const { rows } = await fetchRows(engine, plan, versions, { signal });
  const given = rows.slice(0, limit);
  const [column = { name: request.column, type: "", kind: "other" } satisfies Column] = columns;
  const more = rows.length > limit;
  const last = given.at(-1)?.[2];
  const skipped = "skip" in start ? start.skip : 0;
  const next = keyed ? { after: String(last) } : { skip: skipped + limit };
  return {
    column,
    values: given.map(([value = null, count]) => ({ value, count: Number(count) })),
    nextPageToken: more ? encodePageToken({ version: schema.version, ...next }, identity(request)) : "",
    version: schema.version,
  };
}

function identity({ dataset, version, column, prefix, filter, scopeHash }: ListValuesRequest): unknown {
  return ["values", dataset, version, column, prefix, filter ?? null, scopeHash];
}
