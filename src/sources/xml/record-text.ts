/** The texts of the elements that are open, from the outermost to the innermost. */
export class OpenTexts {
  readonly #trim: boolean;
  readonly #texts: string[] = [];
  readonly #parents: boolean[] = [];
  #depth = -1;

  constructor(trim: boolean) {
    this.#trim = trim;
  }

  open(): void {
    if (this.#depth >= 0) this.#parents[this.#depth] = true;
    this.#depth++;
    this.#texts[this.#depth] = "";
    this.#parents[this.#depth] = false;
  }

  add(text: string): void {
    // Between elements there is nothing but space in most documents.
    if (this.#parents[this.#depth] && isBlank(text)) return;
    this.#texts[this.#depth] += text;
  }

  /** Whether the innermost element has elements in it. */
  get isParent(): boolean {
    return this.#parents[this.#depth] ?? false;
  }

  /** The text of the innermost element itself. Beside other elements, every run of spaces is one. */
  close(): string {
    const text = this.#texts[this.#depth] ?? "";
    const isParent = this.#parents[this.#depth];
    this.#depth--;
    if (text === "") return text;
    if (isParent) return isBlank(text) ? "" : trimmed(text.replaceAll(/[ \t\r\n]+/g, " "));
    return this.#trim ? trimmed(text) : text;
  }
}

const SPACE = 32;

/** Spaces as XML has them; there are no other control characters in a text. */
function isBlank(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > SPACE) return false;
  return true;
}

function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= SPACE) start++;
  while (end > start && text.charCodeAt(end - 1) <= SPACE) end--;
  return end - start === text.length ? text : text.slice(start, end);
}
