import type { Plan, ScanPlan } from "../engine/plan.ts";
import { columnsOf } from "../engine/plan-columns.ts";
import type { Column } from "../engine/types.ts";
import { columnType } from "./column-type.ts";
import { planExpression } from "./expressions.ts";
import type { CalculatedColumn } from "./model.ts";
import type { Place } from "./place.ts";
import { Scope, type Typed } from "./scope.ts";

/** What the planner knows of a dataset: one version of it and its columns. */
export interface DatasetSchema {
  readonly dataset: string;
  readonly version: number;
  readonly columns: readonly Column[];
}

interface Calculated {
  readonly name: string;
  readonly typed: Typed;
  /** 1 when it reads only columns of the dataset, else one more than what it reads. */
  readonly level: number;
}

/** Every level is a projection of its own in the plan. */
const MAX_LEVELS = 100;

/** The columns of a dataset and those calculated from them. */
export class Columns {
  readonly scope: Scope;
  readonly #schema: DatasetSchema;
  readonly #calculated = new Map<string, Calculated>();

  constructor(schema: DatasetSchema) {
    this.#schema = schema;
    this.scope = new Scope(
      `column of dataset ${JSON.stringify(schema.dataset)}`,
      schema.columns.map((column) => [column.name, columnType(column)] as const),
    );
  }

  /** Adds calculated columns; each may use those before it. */
  calculate(columns: readonly CalculatedColumn[], place: Place): void {
    for (const [index, { name, expression }] of columns.entries()) {
      const at = place.item("calculated_columns", index);
      if (this.scope.has(name))
        throw at.at("name").error("DUPLICATE_NAME", `${JSON.stringify(name)} is a column already`);
      const typed = planExpression(expression, this.scope, at.at("expression"));
      const level =
        1 + Math.max(0, ...[...columnsOf(typed.expr)].map((used) => this.#calculated.get(used)?.level ?? 0));
      if (level > MAX_LEVELS)
        throw at.error("INVALID_EXPRESSION", `calculated columns build on each other more than ${MAX_LEVELS} deep`);
      this.#calculated.set(name, { name, typed, level });
      this.scope.add(name, typed.type);
    }
  }

  /** The plan that gives these columns (and no others that need work); `scan` adds to how the dataset is read. */
  source(wanted: ReadonlySet<string>, scan: Partial<ScanPlan> = {}): Plan {
    const calculated = this.#closure(wanted);
    const needed = new Set([...wanted].filter((name) => !this.#calculated.has(name)));
    for (const { typed } of calculated) for (const name of columnsOf(typed.expr)) needed.add(name);
    const base = this.#schema.columns.map(({ name }) => name).filter((name) => needed.has(name));
    const { dataset, version } = this.#schema;
    let plan: Plan = { op: "scan", dataset, version, columns: base, ...scan };
    const passed = [...base, ...Object.values(scan.position ?? {})].map((name) => column(name));
    const levels = Math.max(0, ...calculated.map(({ level }) => level));
    for (let level = 1; level <= levels; level += 1) {
      const done = calculated.filter((each) => each.level < level).map(({ name }) => column(name));
      const now = calculated
        .filter((each) => each.level === level)
        .map(({ name, typed }) => ({ name, expr: typed.expr }));
      plan = { op: "project", input: plan, columns: [...passed, ...done, ...now] };
    }
    return plan;
  }

  /** The calculated columns that are wanted, with those that they need. */
  #closure(wanted: ReadonlySet<string>): readonly Calculated[] {
    const reached = new Set<string>();
    const visit = (name: string) => {
      const calculated = this.#calculated.get(name);
      if (calculated === undefined || reached.has(name)) return;
      reached.add(name);
      for (const used of columnsOf(calculated.typed.expr)) visit(used);
    };
    for (const name of wanted) visit(name);
    return [...this.#calculated.values()].filter(({ name }) => reached.has(name));
  }
}

export function column(name: string): { readonly name: string; readonly expr: { kind: "column"; name: string } } {
  return { name, expr: { kind: "column", name } };
}
