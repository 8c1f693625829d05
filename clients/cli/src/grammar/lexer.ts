import { UsageError } from "../usage-error.ts";

/** A piece of a condition or an expression. `begin` and `end` say where it stands in the text. */
export interface Token {
  /** `word`: a bare name, value or keyword. `double`, `single`: the text within such quotes. `end`: there is no more. */
  readonly kind: "word" | "double" | "single" | "symbol" | "end";
  readonly text: string;
  readonly begin: number;
  readonly end: number;
}

/** What a grammar takes for words and symbols. */
export interface Lexis {
  /** Matches one bare word from its place on; sticky. */
  readonly word: RegExp;
  /** Longer ones before those that they begin with. */
  readonly symbols: readonly string[];
}

/** Cuts a text into tokens; the last one is of kind `end`. Two quotes within quotes stand for one. */
export function tokenize(text: string, lexis: Lexis): readonly Token[] {
  const tokens: Token[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const token = quoted(text, at) ?? symbol(text, at, lexis) ?? word(text, at, lexis);
    tokens.push(token);
    at = skipSpace(text, token.end);
  }
  tokens.push({ kind: "end", text: "", begin: text.length, end: text.length });
  return tokens;
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && /\s/.test(text.charAt(at))) at++;
  return at;
}

function quoted(text: string, begin: number): Token | undefined {
  const quote = text[begin];
  if (quote !== '"' && quote !== "'") return undefined;
  let content = "";
  for (let at = begin + 1; at < text.length; at++) {
    if (text[at] !== quote) content += text[at];
    else if (text[at + 1] === quote) {
      content += quote;
      at++;
    } else return { kind: quote === '"' ? "double" : "single", text: content, begin, end: at + 1 };
  }
  throw new UsageError(`"${text}": the quote at character ${begin + 1} does not end`);
}

function symbol(text: string, begin: number, { symbols }: Lexis): Token | undefined {
  const found = symbols.find((candidate) => text.startsWith(candidate, begin));
  return found === undefined ? undefined : { kind: "symbol", text: found, begin, end: begin + found.length };
}

function word(text: string, begin: number, lexis: Lexis): Token {
  lexis.word.lastIndex = begin;
  const found = lexis.word.exec(text)?.[0];
  if (found === undefined || found === "")
    throw new UsageError(`"${text}": unexpected "${text.charAt(begin)}" at character ${begin + 1}`);
  return { kind: "word", text: found, begin, end: begin + found.length };
}

/** Reads tokens from left to right. */
export class TokenReader {
  readonly source: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(source: string, lexis: Lexis) {
    this.source = source;
    this.#tokens = tokenize(source, lexis);
  }

  get next(): Token {
    return this.ahead(0);
  }

  ahead(count: number): Token {
    return this.#tokens[Math.min(this.#at + count, this.#tokens.length - 1)] as Token;
  }

  read(): Token {
    const token = this.next;
    this.#at++;
    return token;
  }

  /** Whether the next token is this keyword (whatever its case). */
  isWord(...words: readonly string[]): boolean {
    return this.next.kind === "word" && words.includes(this.next.text.toLowerCase());
  }

  isSymbol(...symbols: readonly string[]): boolean {
    return this.next.kind === "symbol" && symbols.includes(this.next.text);
  }

  takeWord(...words: readonly string[]): boolean {
    if (!this.isWord(...words)) return false;
    this.#at++;
    return true;
  }

  takeSymbol(...symbols: readonly string[]): boolean {
    if (!this.isSymbol(...symbols)) return false;
    this.#at++;
    return true;
  }

  /** Throws unless the symbol is next. */
  expectSymbol(text: string): void {
    if (!this.takeSymbol(text)) throw this.expected(`"${text}"`);
  }

  expectWord(text: string): void {
    if (!this.takeWord(text)) throw this.expected(`"${text}"`);
  }

  expectEnd(): void {
    if (this.next.kind !== "end") throw this.expected("the end");
  }

  expected(what: string, help = ""): UsageError {
    const { next, source } = this;
    const found = next.kind === "end" ? "the end" : `"${source.slice(next.begin, next.end)}"`;
    return new UsageError(`"${source}": expected ${what}, found ${found} at character ${next.begin + 1}`, help);
  }
}
