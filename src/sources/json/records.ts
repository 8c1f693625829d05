import { DriverError } from "../../errors/driver-error.ts";

/** How records stand in a file: in one array, one to a line, or one after the other over several lines. */
export type RecordLayout = "array" | "newline" | "objects";

/** A part of a JSON text: a record, or what stands between two. */
export interface JsonPiece {
  readonly text: string;
  readonly isRecord: boolean;
  /** The line on which it begins, from 1. */
  readonly line: number;
}

const MAX_RECORD_LENGTH = 16 * 1024 * 1024;

/** Cuts a JSON text that arrives in chunks into records and what is between them. All pieces together are the text. */
export class JsonRecords {
  readonly #path: string;
  readonly #layout: RecordLayout;
  #rest = "";
  /** Where the search goes on in `#rest`. */
  #at = 0;
  #depth = 0;
  #inString = false;
  #line = 1;

  constructor(path: string, layout: RecordLayout) {
    this.#path = path;
    this.#layout = layout;
  }

  push(text: string): readonly JsonPiece[] {
    this.#rest += text;
    const pieces = this.#layout === "newline" ? this.#lines() : this.#objects();
    if (this.#rest.length > MAX_RECORD_LENGTH)
      throw new DriverError(
        "ROW_TOO_LONG",
        `${this.#path}, line ${this.#line}: a record has more than ${MAX_RECORD_LENGTH} characters`,
        {
          metadata: { file: this.#path, line: String(this.#line) },
        },
      );
    return pieces;
  }

  end(): readonly JsonPiece[] {
    if (this.#rest === "") return [];
    return [this.#take(this.#rest.length, this.#layout === "newline" && this.#rest.trim() !== "")];
  }

  #lines(): readonly JsonPiece[] {
    const pieces: JsonPiece[] = [];
    for (let end = this.#rest.indexOf("\n", this.#at); end >= 0; end = this.#rest.indexOf("\n")) {
      const isBlank = this.#rest.slice(0, end).trim() === "";
      pieces.push(this.#take(end + 1, !isBlank));
    }
    this.#at = this.#rest.length;
    return pieces;
  }

  #objects(): readonly JsonPiece[] {
    const pieces: JsonPiece[] = [];
    const outside = this.#layout === "array" ? 1 : 0;
    while (this.#at < this.#rest.length) {
      const char = this.#rest[this.#at] ?? "";
      if (this.#inString && char === "\\") {
        // What is escaped may be in the next chunk.
        if (this.#at + 1 === this.#rest.length) break;
        this.#at++;
      } else if (char === '"') this.#inString = !this.#inString;
      else if (!this.#inString && (char === "{" || char === "[")) {
        if (char === "{" && this.#depth === outside && this.#at > 0) pieces.push(this.#take(this.#at, false));
        this.#depth++;
      } else if (!this.#inString && (char === "}" || char === "]")) {
        this.#depth--;
        if (char === "}" && this.#depth === outside) {
          pieces.push(this.#take(this.#at + 1, true));
          continue;
        }
      }
      this.#at++;
    }
    return pieces;
  }

  #take(end: number, isRecord: boolean): JsonPiece {
    const text = this.#rest.slice(0, end);
    const piece = { text, isRecord, line: this.#line };
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#line++;
    this.#rest = this.#rest.slice(end);
    this.#at = 0;
    return piece;
  }
}
