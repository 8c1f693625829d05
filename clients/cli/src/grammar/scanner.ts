import { UsageError } from "../usage-error.ts";

/** Reads the short forms `[ALIAS=]COLUMN[:MORE]` from left to right. */
export class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * A name: in double quotes (`""` stands for one), or bare up to the first match of `stop` or the end. Throws where it
   * is empty or its quotes do not end.
   */
  name(stop: RegExp, what: string): string {
    if (this.#text[this.#at] === '"') return this.#quoted(what);
    const rest = this.#text.slice(this.#at);
    const length = stop.exec(rest)?.index ?? rest.length;
    if (length === 0) throw new UsageError(`"${this.#text}": ${what} is missing`);
    this.#at += length;
    return rest.slice(0, length);
  }

  /** Goes past `text` if it is next. */
  take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** What is left, without reading it. */
  peek(): string {
    return this.#text.slice(this.#at);
  }

  /** Everything that is left. */
  rest(): string {
    const rest = this.#text.slice(this.#at);
    this.#at = this.#text.length;
    return rest;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Throws unless everything has been read. */
  end(): void {
    if (!this.done) throw new UsageError(`"${this.#text}": unexpected "${this.rest()}"`);
  }

  #quoted(what: string): string {
    let name = "";
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const character = this.#text.charAt(at);
      if (character !== '"') name += character;
      else if (this.#text[at + 1] === '"') {
        name += '"';
        at++;
      } else {
        this.#at = at + 1;
        return name;
      }
    }
    throw new UsageError(`"${this.#text}": the quotes around ${what} do not end`);
  }
}

/** An alias and what it names: `ALIAS=REST` or `REST`. */
export function aliased(scanner: Scanner, what: string): { alias: string | undefined; name: string } {
  const first = scanner.name(/[=:]/, what);
  if (!scanner.take("=")) return { alias: undefined, name: first };
  return { alias: first, name: scanner.name(/:/, what) };
}
