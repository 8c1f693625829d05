import { closest, distance } from "fastest-levenshtein";

/** `; did you mean "x"?` for the nearest known name, or nothing where none is near. */
export function suggest(unknown: string, known: readonly string[]): string {
  if (known.length === 0) return "";
  const nearest = closest(unknown, known);
  return distance(unknown.toLowerCase(), nearest.toLowerCase()) <= Math.max(2, Math.floor(unknown.length / 3))
    ? `; did you mean ${JSON.stringify(nearest)}?`
    : "";
}
