import type { OperationFilter, OperationSnapshot } from "./model.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";

/** Where the next page begins: after the operation of this time and id. */
interface PagePosition {
  readonly time: number;
  readonly id: string;
}

/** One page of those that the filter lets through, newest first; as they are, whatever the asker sees of them. */
export function listPage(
  all: Iterable<OperationSnapshot>,
  filter: OperationFilter,
): { readonly operations: readonly OperationSnapshot[]; readonly nextPageToken: string } {
  const request = heldTo(filter);
  const after = decodePageToken(filter.pageToken, request, isPosition);
  const rest: OperationSnapshot[] = [];
  for (const operation of all) {
    if (matches(operation, filter) && (after === undefined || compare(position(operation), after) > 0)) {
      rest.push(operation);
    }
  }
  rest.sort((a, b) => compare(position(a), position(b)));
  const operations = rest.slice(0, filter.pageSize);
  const last = operations.at(-1);
  const more = last !== undefined && rest.length > operations.length;
  return { operations, nextPageToken: more ? encodePageToken(position(last), request) : "" };
}

function isPosition(value: unknown): value is PagePosition {
  const { time, id } = (value ?? {}) as Partial<PagePosition>;
  return typeof time === "number" && typeof id === "string";
}

/** What a page token holds to; another order of the same filter is the same. */
function heldTo({ kinds, states, labels, dataset, asker }: OperationFilter): unknown {
  const wanted = [[...kinds].sort(), [...states].sort(), Object.entries(labels).sort(), dataset];
  return ["operations", ...wanted, asker?.scopeHash ?? ""];
}

function matches(operation: OperationSnapshot, filter: OperationFilter): boolean {
  if (filter.asker?.owns(operation.owner) === false) return false;
  if (filter.kinds.length > 0 && !filter.kinds.includes(operation.kind)) return false;
  if (filter.states.length > 0 && !filter.states.includes(operation.state)) return false;
  const wanted = Object.entries(filter.labels);
  if (filter.dataset === "" && wanted.length === 0) return true;
  // What is not shown is not to be found out by asking for it.
  const { dataset, labels } = filter.seen?.(operation) ?? operation;
  if (filter.dataset !== "" && filter.dataset !== dataset) return false;
  return wanted.every(([key, value]) => labels[key] === value);
}

function position(operation: OperationSnapshot): PagePosition {
  return { time: operation.createTime.getTime(), id: operation.id };
}

/** Newest first; ids decide within a millisecond. */
function compare(a: PagePosition, b: PagePosition): number {
  return b.time - a.time || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}
