import { decodePageToken, encodePageToken } from "../../operations/page-token.ts";

/** How many items a page may hold: `fallback` where nothing is asked, `max` where too much is. */
export function pageSize(
  asked: number,
  { fallback, max }: { readonly fallback: number; readonly max: number },
): number {
  return asked === 0 ? fallback : Math.min(asked, max);
}

export interface PageRequest {
  readonly size: number;
  readonly token: string;
  /** What the tokens hold to. */
  readonly request: unknown;
}

export interface ItemPage<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/**
 * One page of items that are ordered by a key, ascending. The next page begins behind the last item's key, whatever comes
 * or goes between. Throws INVALID_PAGE_TOKEN.
 */
export function pageOf<T>(
  all: readonly T[],
  keyOf: (item: T) => string | number,
  { size, token, request }: PageRequest,
): ItemPage<T> {
  const after = decodePageToken(token, request, isKey);
  const rest = after === undefined ? all : all.filter((item) => keyOf(item) > after);
  const items = rest.slice(0, size);
  const last = items.at(-1);
  const more = last !== undefined && rest.length > items.length;
  return { items, nextPageToken: more ? encodePageToken(keyOf(last), request) : "" };
}

function isKey(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}
