/** How many expressions the engine may add to those of the tree; binding 20,000 takes about a second. */
const MAX_EXTRA_NODES = 20_000;

/** Binding a lambda doubles the time for what is in it: 16 nested ones took 29 ms, 24 took 6 s. */
const LAMBDA_COPIES = 2;
/** `x BETWEEN a AND b` becomes `x >= a AND x <= b`. */
const BETWEEN_COPIES = 2;

/**
 * The engine's macros that use an argument more than once, and how often. Every use copies the argument, so calls nested in
 * each other grow exponentially: 18 nested `nullif` took 9 s and can't be interrupted. A test compares this with the engine.
 */
export const macroCopies: Readonly<Record<string, number>> = {
  array_pop_back: 2,
  array_to_string: 2,
  fmod: 2,
  json_group_array: 2,
  json_group_object: 2,
  nullif: 2,
  round_even: 3,
  roundbankers: 3,
  split_part: 2,
  wavg: 2,
  weighted_avg: 2,
};

/** How often the engine copies the arguments of an expression. */
export function copiesOf(expressionClass: string, functionName: string): number {
  if (expressionClass === "LAMBDA") return LAMBDA_COPIES;
  if (expressionClass === "BETWEEN") return BETWEEN_COPIES;
  const name = functionName.toLowerCase();
  return Object.hasOwn(macroCopies, name) ? (macroCopies[name] ?? 1) : 1;
}

/**
 * Counts how many expressions the engine makes of a tree. Beside macros, names that a select list gives and uses again
 * (`a + a AS b, b + b AS c, …`) double with every use.
 */
export class ExpansionMeter {
  #nodes = 0;
  #expanded = 0;
  #copies = 1;
  #aliases: readonly Map<string, number>[] = [];

  /** Whether the query grows beyond the bound. */
  get exceeded(): boolean {
    return this.#expanded - this.#nodes > MAX_EXTRA_NODES;
  }

  /** Counts one expression and, by `work`, those in it, which are copied so often. */
  expression(copies: number, work: () => void): void {
    const outside = this.#copies;
    this.#nodes += 1;
    this.#expanded += outside;
    this.#copies = outside * copies;
    work();
    this.#copies = outside;
  }

  /** Counts what a name stands for, if a select list around it has given it. */
  name(name: string): void {
    const sizes = this.#aliases.map((names) => names.get(name.toLowerCase()) ?? 0);
    this.#expanded += this.#copies * Math.max(0, ...sizes);
  }

  /** Measures an item of a select list and remembers the name that it gives. */
  item(alias: string | undefined, work: () => void): void {
    const before = this.#expanded;
    work();
    if (alias !== undefined) this.#aliases.at(-1)?.set(alias.toLowerCase(), (this.#expanded - before) / this.#copies);
  }

  /** Runs `work` where the names of a new select list can be seen. */
  selectList(work: () => void): void {
    this.#scoped([...this.#aliases, new Map()], work);
  }

  /** Runs `work` where no name of a select list around it can be seen: FROM and WITH. */
  apart(work: () => void): void {
    this.#scoped([], work);
  }

  #scoped(aliases: readonly Map<string, number>[], work: () => void): void {
    const outside = this.#aliases;
    this.#aliases = aliases;
    work();
    this.#aliases = outside;
  }
}
