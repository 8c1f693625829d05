import type { Statement } from "../../engine.ts";
import type { LiteralExpr } from "../../plan.ts";
import { quoteLiteral } from "../quoting.ts";

/** Longer texts are named by a lambda instead of being repeated. */
const MAX_REPEATED = 64;

/** Collects the values of a statement; the same value of the same type is bound once. */
export class Parameters {
  readonly #values: (null | boolean | number | bigint | string)[] = [];
  readonly #places = new Map<string, string>();
  #lambdas = 0;
  readonly #inline: boolean;

  /** `inline` writes values as literals, for statements that take no parameters. */
  constructor({ inline = false }: { readonly inline?: boolean } = {}) {
    this.#inline = inline;
  }

  get values(): Statement["parameters"] {
    return this.#values;
  }

  /** A value as an SQL expression of its type. */
  literal({ value, type }: LiteralExpr): string {
    if (value === null) return `CAST(NULL AS ${type === "NULL" ? "INTEGER" : type})`;
    if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
    // Small counts of the planner's own.
    if (typeof value === "number" && Number.isSafeInteger(value) && type === "INTEGER") return String(value);
    if (type === "VARCHAR") return this.text(String(value));
    // The binding's own types for numbers are DOUBLE and HUGEINT, which would make the column wider in a comparison and lose
    // digits of decimals; a text is cast exactly, once, before the statement runs.
    if (type === "BLOB") return `from_base64(${this.#place(String(value), type)})`;
    return `CAST(${this.#place(String(value), type)} AS ${type})`;
  }

  /**
   * Lets a value be used several times while its text, unless it is short, is written once: repeated at every level of a
   * nested expression it would double every time. A lambda over a list of one costs about 6 ns a row.
   */
  once(value: string, use: (name: string) => string): string {
    if (value.length <= MAX_REPEATED) return use(value);
    this.#lambdas += 1;
    const name = `lambda_${this.#lambdas}`;
    return `list_transform([${value}], lambda ${name}: ${use(name)})[1]`;
  }

  /** A text. */
  text(value: string): string {
    return this.#place(value, "VARCHAR");
  }

  #place(value: string, type: string): string {
    if (this.#inline) return quoteLiteral(value);
    const key = `${type} ${value}`;
    let place = this.#places.get(key);
    if (place === undefined) {
      this.#values.push(value);
      place = `$${this.#values.length}`;
      this.#places.set(key, place);
    }
    return place;
  }
}
