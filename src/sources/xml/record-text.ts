import { MAX_RECORD_BYTES } from "./limits.ts";
import { Refusal } from "./refusal.ts";

/** The texts of the elements that are open, from the outermost to the innermost. */
export class OpenTexts {
  readonly #trim: boolean;
  readonly #texts: string[] = [];
  readonly #parents: boolean[] = [];
  #depth = -1;
  /** Characters of all texts that are open. */
  #length = 0;

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
    const present = this.#texts[this.#depth] ?? "";
    // Between elements there is nothing but space in most documents. Between words it keeps them apart.
    if (this.#parents[this.#depth] && isBlank(text)) {
      if (present !== "" && !present.endsWith(" ")) this.#put(" ");
    } else this.#put(text);
  }

  #put(text: string): void {
    this.#length += text.length;
    // A text that comments or other elements cut to pieces has no limit by itself.
    if (this.#length > MAX_RECORD_BYTES)
      throw new Refusal("XML_LIMIT", `a record has more than ${MAX_RECORD_BYTES} characters`, {
        limit: String(MAX_RECORD_BYTES),
      });
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
    this.#length -= text.length;
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
