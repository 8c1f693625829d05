import type { SortKey } from "../engine/plan.ts";
import type { CheckedQuery } from "./checked-query.ts";
import { compareLevel, type Levels } from "./levels.ts";
import type { Order } from "./model.ts";
import { column } from "./schema.ts";

/** The whole order of a result: what was asked, ties broken by the dimensions, totals and others in their places. */
export function sortKeys(checked: CheckedQuery, levels: Levels): readonly SortKey[] {
  const { query, dimensions } = checked;
  if (query.totals === "subtotals") return nestedKeys(checked, levels);
  const marks = [levels.levelColumn, levels.othersColumn].filter((name) => name !== undefined);
  return [
    ...marks.map(ascending),
    ...withDimensions(
      query.order,
      dimensions.map(({ name }) => name),
    ),
  ];
}

// Subtotals stand behind their groups, so all dimensions but the last order the blocks, whatever else is asked for.
function nestedKeys({ query, dimensions, top }: CheckedQuery, levels: Levels): readonly SortKey[] {
  const keys: SortKey[] = [];
  const outer = new Set(dimensions.slice(0, -1).map(({ name }) => name));
  for (const [index, { name }] of dimensions.entries()) {
    if (levels.levelColumn !== undefined) keys.push(rolledUp(levels.levelColumn, index));
    if (top?.index === index && levels.othersColumn !== undefined) keys.push(ascending(levels.othersColumn));
    if (outer.has(name)) keys.push(orderKey(query.order.find(({ by }) => by === name) ?? defaultOrder(name)));
  }
  const inner = query.order.filter(({ by }) => !outer.has(by));
  return [
    ...keys,
    ...withDimensions(
      inner,
      dimensions.slice(-1).map(({ name }) => name),
    ),
  ];

  function rolledUp(levelColumn: string, index: number): SortKey {
    const kept = index + (top !== undefined && levels.othersColumn !== undefined && top.index < index ? 1 : 0);
    const expr = compareLevel(levelColumn, "greaterOrEqual", levels.groupColumns - kept);
    return { expr, descending: false, nullsFirst: false };
  }
}

function withDimensions(order: readonly Order[], dimensions: readonly string[]): readonly SortKey[] {
  const asked = new Set<string>();
  // A second mention of a column can't change the order.
  const first = order.filter(({ by }) => !asked.has(by) && asked.add(by));
  const ties = dimensions.filter((name) => !asked.has(name)).map(defaultOrder);
  return [...first, ...ties].map(orderKey);
}

function defaultOrder(by: string): Order {
  return { by, descending: false, nullsFirst: false };
}

function orderKey({ by, descending, nullsFirst }: Order): SortKey {
  return { ...column(by), descending, nullsFirst };
}

function ascending(name: string): SortKey {
  return orderKey(defaultOrder(name));
}
