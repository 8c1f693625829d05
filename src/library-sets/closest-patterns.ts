import { matchesPattern } from "../config/name-pattern.ts";
import { nameKey } from "../datasets/names.ts";

/** Whether a name is one of a pattern's. Case makes no difference, as it makes none between names. */
export function matchesName(pattern: string, name: string): boolean {
  return matchesPattern(nameKey(pattern), nameKey(name));
}

/** Those that a name is one of, the one that says most of it first: the name itself, then the longest, then the first by its letters. */
export function closestPatterns<T extends { readonly pattern: string }>(all: readonly T[], name: string): readonly T[] {
  const weight = ({ pattern }: T) => (pattern.includes("*") ? pattern.length : Number.POSITIVE_INFINITY);
  return all
    .filter(({ pattern }) => matchesName(pattern, name))
    .sort((a, b) => compare(weight(b), weight(a)) || compare(a.pattern, b.pattern));
}

function compare<V extends string | number>(a: V, b: V): number {
  return a < b ? -1 : Number(a > b);
}
