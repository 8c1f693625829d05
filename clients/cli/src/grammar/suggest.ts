import { distance } from "fastest-levenshtein";

/** `; did you mean "day"?` if one of the known words is near, else the list of them. */
export function suggestion(word: string, known: readonly string[]): string {
  const nearest = known
    .map((candidate) => ({ candidate, edits: distance(word, candidate) - (candidate[0] === word[0] ? 0.5 : 0) }))
    .sort((a, b) => a.edits - b.edits)[0];
  // A swap of two letters counts as two edits.
  const bound = word.length < 3 ? 1 : Math.max(2, Math.floor(word.length / 3));
  if (nearest !== undefined && nearest.edits <= bound) return `; did you mean "${nearest.candidate}"?`;
  return `; known: ${known.join(", ")}`;
}

/** `hourOfDay` as it is written on the command line: `hour_of_day`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The names of a table by how they are written on the command line. */
export function bySnakeCase<N extends string>(table: Readonly<Record<N, unknown>>): ReadonlyMap<string, N> {
  return new Map((Object.keys(table) as N[]).map((name) => [snakeCase(name), name]));
}
