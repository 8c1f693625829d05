/**
 * Finds words and what delimits them, as the engine's tokenizer does: comments (which nest), texts with and without backslashes
 * (one with them goes on over a line break into the next), dollar quotes, quoted names, words, and single other characters.
 */
const TOKEN =
  /--[^\n\r]*|\/\*|\s+|[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'\s+'(?:[^'\\]|''|\\[\s\S])*)*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[\s\S]/y;

/** A piece of a text. All of them in a row are the text. */
export interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Cuts a text as the engine's tokenizer does. */
export function* tokensOf(sql: string): Generator<Token> {
  for (let start = 0; start < sql.length; ) {
    TOKEN.lastIndex = start;
    const first = TOKEN.exec(sql)?.[0] ?? sql.slice(start, start + 1);
    const end = endOf(sql, start, first);
    yield { text: sql.slice(start, end), start, end };
    start = end;
  }
}

function endOf(sql: string, start: number, token: string): number {
  if (token === "/*") return endOfComment(sql, start);
  const end = start + token.length;
  if (!/^\$.*\$$/s.test(token)) return end;
  const closing = sql.indexOf(token, end);
  return closing < 0 ? sql.length : closing + token.length;
}

function endOfComment(sql: string, start: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  for (let depth = 0; ; ) {
    const found = mark.exec(sql);
    if (!found) return sql.length;
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
}

/** Cutting more would hold up the event loop; 100,000 take about 25 ms. */
export const MAX_TOKENS = 100_000;

/** What the engine takes for a space beside those of ASCII. */
const WIDE_SPACE = /[\u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]/g;

/**
 * The text with a plain space for every other one outside of quotes, as the engine itself changes it before it parses; the places
 * in its tree are places in the changed text. They come with texts that were copied from documents. A text of more than
 * `MAX_TOKENS` tokens stays as it is.
 */
export function withPlainSpaces(sql: string): string {
  if (sql.search(WIDE_SPACE) < 0) return sql;
  const parts: string[] = [];
  for (const { text } of tokensOf(sql)) {
    if (parts.length === MAX_TOKENS) return sql;
    parts.push(/^(?:[eE]?'|"|\$.*\$)/s.test(text) ? text : text.replace(WIDE_SPACE, " "));
  }
  return parts.join("");
}
