/** As many items as a page may have. */
export const maxPageSize = 1000;

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Empty at the end. */
  readonly nextPageToken: string;
}

/** Walks through pages, item by item; a page is fetched when the one before has been read. `limit` ends it early. */
export async function* paged<T>(
  fetch: (pageToken: string) => Promise<Page<T>>,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<T, void, undefined> {
  let left = limit;
  let pageToken = "";
  while (left > 0) {
    const page = await fetch(pageToken);
    for (const item of page.items) {
      if (left-- <= 0) return;
      yield item;
    }
    if (page.nextPageToken === "") return;
    pageToken = page.nextPageToken;
  }
}
