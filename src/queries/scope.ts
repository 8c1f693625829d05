import type { Expr } from "../engine/plan.ts";
import type { ColumnType } from "./column-type.ts";
import { type Place, suggestion } from "./place.ts";

/** An expression with what the planner knows of its type. */
export interface Typed {
  readonly expr: Expr;
  readonly type: ColumnType;
}

/** The names that an expression or a filter may use. */
export class Scope {
  readonly #types = new Map<string, ColumnType>();
  readonly #what: string;

  /** `what` says in errors what the names are, for example `column of dataset flights`. */
  constructor(what: string, names: Iterable<readonly [string, ColumnType]> = []) {
    this.#what = what;
    for (const [name, type] of names) this.#types.set(name, type);
  }

  has(name: string): boolean {
    return this.#types.has(name);
  }

  add(name: string, type: ColumnType): void {
    this.#types.set(name, type);
  }

  /** Throws UNKNOWN_COLUMN with the nearest name. */
  resolve(name: string, place: Place): Typed {
    const type = this.#types.get(name);
    if (type === undefined) {
      const hint = suggestion(name, [...this.#types.keys()]);
      throw place.error("UNKNOWN_COLUMN", `there is no ${this.#what} named ${JSON.stringify(name)}${hint}`, {
        column: name,
      });
    }
    return { expr: { kind: "column", name }, type };
  }
}

/** Brings an expression to a type; a no-op where it has it. */
export function castTo({ expr, type }: Typed, target: ColumnType): Typed {
  if (type.type === target.type) return { expr, type };
  if (expr.kind === "literal" && expr.value === null) return { expr: { ...expr, type: target.type }, type: target };
  return { expr: { kind: "cast", arg: expr, type: target.type }, type: target };
}
