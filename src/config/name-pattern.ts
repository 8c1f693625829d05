/**
 * Whether a text is of a pattern, in which `*` stands for any text and `?` for one character. In time of the product of both lengths at
 * most, whatever the pattern: it comes from callers.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  let [at, place] = [0, 0];
  // Where the last `*` was, and how much of the text it has taken.
  let [star, taken] = [-1, 0];
  while (place < text.length) {
    const sign = pattern[at];
    if (sign === "*") {
      [star, taken] = [at++, place];
    } else if (at < pattern.length && (sign === "?" || sign === text[place])) {
      place += sign === "?" ? unitsAt(text, place) : 1;
      at++;
    } else if (star >= 0) {
      at = star + 1;
      place = ++taken;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** How many code units the character at a place takes. */
function unitsAt(text: string, place: number): number {
  return (text.codePointAt(place) ?? 0) > 0xffff ? 2 : 1;
}
