import stringWidth from "string-width";
import { nullText } from "./cell.ts";
import type { Style } from "./style.ts";

/** A column of a table. */
export interface TableColumn {
  readonly title: string;
  readonly right?: boolean;
}

const gap = "  ";

/**
 * Draws tables as aligned text. Widths come from the first rows that it is given; later ones keep to them, so that an
 * endless table can be drawn batch by batch.
 */
export class TableWriter {
  readonly #columns: readonly TableColumn[];
  readonly #style: Style;
  #widths: readonly number[] | undefined;

  constructor(columns: readonly TableColumn[], style: Style) {
    this.#columns = columns;
    this.#style = style;
  }

  /** The lines of these rows, with the heading before the first ones. */
  write(rows: readonly (readonly string[])[]): string {
    const lines: string[] = [];
    if (this.#widths === undefined) {
      this.#widths = this.#measure(rows);
      lines.push(...this.#heading(this.#widths));
    }
    for (const row of rows) lines.push(this.#line(row, this.#widths));
    return lines.map((line) => `${line}\n`).join("");
  }

  #measure(rows: readonly (readonly string[])[]): readonly number[] {
    return this.#columns.map(({ title }, index) =>
      rows.reduce((widest, row) => Math.max(widest, stringWidth(row[index] ?? "")), stringWidth(title)),
    );
  }

  #heading(widths: readonly number[]): readonly string[] {
    const titles = this.#columns.map(({ title }) => title);
    const { bold, dim } = this.#style;
    return [bold(this.#joined(titles, widths)), dim(widths.map((width) => "─".repeat(width)).join(gap))];
  }

  #line(row: readonly string[], widths: readonly number[]): string {
    return this.#joined(row, widths, (text) => (text === nullText ? this.#style.dim(text) : text));
  }

  #joined(cells: readonly string[], widths: readonly number[], paint: (text: string) => string = (text) => text) {
    const padded = this.#columns.map(({ right }, index) => {
      const text = cells[index] ?? "";
      const space = " ".repeat(Math.max(0, (widths[index] ?? 0) - stringWidth(text)));
      return right ? space + paint(text) : paint(text) + space;
    });
    return padded.join(gap).trimEnd();
  }
}

/** A whole table. */
export function table(columns: readonly TableColumn[], rows: readonly (readonly string[])[], style: Style): string {
  return new TableWriter(columns, style).write(rows);
}

/** Names and values, one pair on a line. */
export function pairs(entries: readonly (readonly [name: string, value: string])[], style: Style): string {
  const width = Math.max(...entries.map(([name]) => stringWidth(name)));
  return entries
    .map(([name, value]) => `${style.dim(name + " ".repeat(width - stringWidth(name)))}${gap}${value}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}
