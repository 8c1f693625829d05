import type { Submittable } from "pg";
import type { PgConnection, PgField } from "./internals.ts";

/**
 * Has the server parse one statement, without running it, and say which columns it gives. The extended protocol takes exactly
 * one statement, so a text that passes can't smuggle in a second one.
 */
export class DescribeQuery implements Submittable {
  readonly #text: string;
  readonly #result = Promise.withResolvers<readonly PgField[] | undefined>();
  #fields: readonly PgField[] | undefined;

  constructor(text: string) {
    this.#text = text;
    // Told to whoever awaits it; the connection may break before.
    this.#result.promise.catch(() => undefined);
  }

  /** The columns; undefined for a statement that gives no rows. */
  get result(): Promise<readonly PgField[] | undefined> {
    return this.#result.promise;
  }

  submit = (connection: unknown): void => {
    const own = connection as PgConnection;
    own.parse({ text: this.#text, name: "" });
    own.describe({ type: "S", name: "" });
    own.sync();
  };

  handleRowDescription({ fields }: { readonly fields: readonly PgField[] }): void {
    this.#fields = fields;
  }

  handleParseComplete(): void {}

  handleError(error: Error): void {
    this.#result.reject(error);
  }

  handleReadyForQuery(): void {
    this.#result.resolve(this.#fields);
  }
}
