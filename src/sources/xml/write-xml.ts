import type { JsonValue } from "../../engine/types.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { elementName } from "./names.ts";

export interface XmlWriterOptions {
  /** The columns' names, in the order of a row's values. */
  readonly columns: readonly string[];
  /** The name of the root element. Default `rows`. */
  readonly root?: string;
  /** The name of the element of a row. Default `row`. */
  readonly record?: string;
}

const NIL = ' xsi:nil="true"';
const NEEDS_ESCAPE = /[&<>\r]/;
const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;" };
/** What XML 1.0 has no way to write, not even as a reference. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find
const IMPOSSIBLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u;
const MAX_SHOWN = 100;

/**
 * Writes rows as XML, row by row: the caller puts the texts of `begin`, `row` and `end` in a stream of UTF-8. A NULL is left out
 * (in a list: `xsi:nil`), a list repeats its element, a struct nests. Reading it as a source of this driver gives the same columns.
 */
export class XmlWriter {
  readonly #columns: readonly string[];
  readonly #root: string;
  readonly #names: readonly string[];
  readonly #record: string;
  readonly #members = new Map<string, string>();
  #rows = 0;

  constructor({ columns, root = "rows", record = "row" }: XmlWriterOptions) {
    this.#columns = columns;
    this.#names = columns.map(elementName);
    this.#root = elementName(root);
    this.#record = elementName(record);
  }

  begin(): string {
    return `<?xml version="1.0" encoding="UTF-8"?>\n<${this.#root} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n`;
  }

  /** One row of values as docs/types.md writes them in JSON. Throws VALUE_UNWRITABLE with row, column and value. */
  row(values: readonly JsonValue[]): string {
    this.#rows++;
    let text = `<${this.#record}>`;
    for (let at = 0; at < this.#names.length; at++) {
      const value = values[at] ?? null;
      if (value !== null) text += this.#element(this.#names[at] ?? "", value, at);
    }
    return `${text}</${this.#record}>\n`;
  }

  end(): string {
    return `</${this.#root}>\n`;
  }

  #element(name: string, value: JsonValue, column: number): string {
    if (value === null) return `<${name}${NIL}/>`;
    if (typeof value === "string") return `<${name}>${this.#text(value, column)}</${name}>`;
    // Of -0 a template would make 0.
    if (typeof value !== "object") return `<${name}>${Object.is(value, -0) ? "-0" : value}</${name}>`;
    if (!Array.isArray(value)) return `<${name}>${this.#content(value as Members, column)}</${name}>`;
    // A list in a list needs an element of its own, or the two would become one.
    return (value as readonly JsonValue[])
      .map((item) =>
        Array.isArray(item)
          ? `<${name}>${this.#element("item", item, column)}</${name}>`
          : this.#element(name, item, column),
      )
      .join("");
  }

  #content(members: Members, column: number): string {
    let text = "";
    for (const [key, value] of Object.entries(members))
      if (value !== null) text += this.#element(this.#member(key), value, column);
    return text;
  }

  #member(key: string): string {
    const known = this.#members.get(key);
    if (known !== undefined) return known;
    const name = elementName(key);
    // Keys of JSON columns can be as many as rows; names are cheap to make again.
    if (this.#members.size < 10_000) this.#members.set(key, name);
    return name;
  }

  #text(value: string, column: number): string {
    if (IMPOSSIBLE.test(value)) throw this.#unwritable(value, column);
    return NEEDS_ESCAPE.test(value) ? value.replaceAll(/[&<>\r]/g, (char) => ESCAPES[char] ?? char) : value;
  }

  #unwritable(value: string, column: number): DriverError {
    const name = this.#columns[column] ?? "";
    const at = IMPOSSIBLE.exec(value)?.index ?? 0;
    const code = value.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
    const row = String(this.#rows);
    const shown = JSON.stringify(value.slice(0, MAX_SHOWN));
    return new DriverError(
      "VALUE_UNWRITABLE",
      `row ${row}, column ${JSON.stringify(name)}: ${shown} holds U+${code}, which XML can't hold`,
      { metadata: { row, column: name, value: value.slice(0, MAX_SHOWN), character: `U+${code}` } },
    );
  }
}

type Members = Readonly<Record<string, JsonValue>>;
