import type { AggregatePlan, Expr } from "../engine/plan.ts";
import type { CheckedQuery } from "./checked-query.ts";
import { column } from "./schema.ts";

/** The last column of results with totals or others. */
export const ROW_KIND = "row_kind";

/** How a result tells its groups from others, subtotals and totals. */
export interface Levels {
  readonly rollup?: NonNullable<AggregatePlan["rollup"]>;
  /** Holds how many group columns were rolled up. */
  readonly levelColumn?: string;
  /** Holds whether the row gathers the rest of a top-N. */
  readonly othersColumn?: string;
  /** Whether `row_kind` is a column of the result. */
  readonly showKind: boolean;
  /** True for the rows that are groups; absent if all are. */
  readonly isGroup?: Expr;
  /** Keeps what is not the gathered rest, where that was needed for totals only. */
  readonly dropOthers?: Expr;
  /** How many columns are grouped by. */
  readonly groupColumns: number;
}

/** Decides which totals and marks a query needs. */
export function planLevels({ query, dimensions, top, outputs }: CheckedQuery): Levels {
  const totals = dimensions.length > 0 && query.totals !== "none";
  const gathers = top !== undefined && (top.others || totals);
  const othersColumn = gathers ? freshName("others", outputs) : undefined;
  const groupColumns = dimensions.length + (gathers ? 1 : 0);
  const levelColumn = totals ? freshName("level", outputs) : undefined;
  const isGroup = groupCondition(levelColumn, othersColumn);
  return {
    groupColumns,
    showKind: query.totals !== "none" || (top?.others ?? false),
    ...(levelColumn !== undefined && { levelColumn, rollup: { levels: prefixes(), levelColumn } }),
    ...(othersColumn !== undefined && { othersColumn }),
    ...(isGroup && { isGroup }),
    ...(othersColumn !== undefined && !top?.others && { dropOthers: unlessTrue(column(othersColumn).expr) }),
  };

  function prefixes(): readonly (readonly string[])[] {
    const lengths = query.totals === "grand" ? [0] : dimensions.map((_, index) => dimensions.length - 1 - index);
    return lengths.map((length) => {
      const names = dimensions.slice(0, length).map(({ name }) => name);
      return othersColumn !== undefined && top !== undefined && top.index < length ? [...names, othersColumn] : names;
    });
  }
}

function groupCondition(levelColumn: string | undefined, othersColumn: string | undefined): Expr | undefined {
  const finest = levelColumn === undefined ? undefined : compareLevel(levelColumn, "equal", 0);
  const named: Expr | undefined =
    othersColumn === undefined ? undefined : { kind: "call", fn: "not", args: [column(othersColumn).expr] };
  return finest && named ? { kind: "call", fn: "and", args: [finest, named] } : (finest ?? named);
}

/** `condition` for groups; everything else passes. */
export function forGroups(condition: Expr, { isGroup }: Levels): Expr {
  if (isGroup === undefined) return condition;
  return { kind: "call", fn: "or", args: [{ kind: "call", fn: "not", args: [isGroup] }, condition] };
}

/** Compares the number of columns that were rolled up. */
export function compareLevel(levelColumn: string, fn: "equal" | "greater" | "greaterOrEqual", level: number): Expr {
  return { kind: "call", fn, args: [column(levelColumn).expr, { kind: "literal", value: level, type: "INTEGER" }] };
}

/** What `row_kind` says. */
export function rowKind({ levelColumn, othersColumn, groupColumns }: Levels): Expr {
  const branches: { when: Expr; value: Expr }[] = [];
  if (levelColumn !== undefined) {
    branches.push({ when: compareLevel(levelColumn, "equal", groupColumns), value: text("total") });
    branches.push({ when: compareLevel(levelColumn, "greater", 0), value: text("subtotal") });
  }
  if (othersColumn !== undefined) branches.push({ when: column(othersColumn).expr, value: text("others") });
  return branches.length === 0 ? text("group") : { kind: "case", branches, otherwise: text("group") };
}

// At the levels where the mark is rolled up it is NULL, which must stay.
function unlessTrue(expr: Expr): Expr {
  const isNull: Expr = { kind: "call", fn: "isNull", args: [expr] };
  return { kind: "call", fn: "or", args: [isNull, { kind: "call", fn: "not", args: [expr] }] };
}

function text(value: string): Expr {
  return { kind: "literal", value, type: "VARCHAR" };
}

/** A name like `base` that none of `taken` has. */
export function freshName(base: string, ...taken: readonly { has(name: string): boolean }[]): string {
  let name = base;
  for (let count = 2; taken.some((names) => names.has(name)); count += 1) name = `${base}_${count}`;
  return name;
}
