import stringWidth from "string-width";
import type { Column, ResultValue, Rows } from "../../../node/src/index.ts";
import { bars } from "./bars.ts";
import { type CellFormat, cellFormat, cellText, isNumeric } from "./cell.ts";
import type { Style } from "./style.ts";
import { TableWriter } from "./table.ts";

/** How a result is drawn. */
export interface ResultLayout {
  readonly style: Style;
  /** Floats with all their digits. */
  readonly full: boolean;
  /** Cells in a line. */
  readonly lineWidth: number;
  /** The column that has bars. */
  readonly barColumn?: string | undefined;
}

const gapWidth = 2;
const leastBarWidth = 8;
const mostBarWidth = 40;

/** Draws a whole result as a table. */
export function resultTable(result: Rows, layout: ResultLayout): string {
  const formats = formatsOf(result.columns, result.values, layout.full);
  const cells = result.values.map((row) => rowCells(row, formats));
  const columns = result.columns.map((column) => ({
    title: cellText(column.name),
    right: isNumeric(column),
  }));
  const drawn = barCells(result, cells, layout);
  if (drawn === undefined) return new TableWriter(columns, layout.style).write(cells);
  const rows = cells.map((row, index) => [...row, coloured(drawn.bars[index] ?? "", layout.style)]);
  // The bars stand at the end, perhaps far from their measure.
  return new TableWriter([...columns, { title: drawn.title }], layout.style).write(rows);
}

/** Draws a result batch by batch. */
export class ResultWriter {
  readonly #columns: readonly Column[];
  readonly #full: boolean;
  #formats: readonly CellFormat[] | undefined;
  readonly #writer: TableWriter;

  constructor(columns: readonly Column[], layout: Pick<ResultLayout, "style" | "full">) {
    const titles = columns.map((column) => ({
      title: cellText(column.name),
      right: isNumeric(column),
    }));
    this.#columns = columns;
    this.#full = layout.full;
    this.#writer = new TableWriter(titles, layout.style);
  }

  write(values: Rows["values"]): string {
    this.#formats ??= formatsOf(this.#columns, values, this.#full);
    const formats = this.#formats;
    return this.#writer.write(values.map((row) => rowCells(row, formats)));
  }
}

function formatsOf(columns: readonly Column[], rows: Rows["values"], full: boolean): readonly CellFormat[] {
  return columns.map((column, index) =>
    cellFormat(
      column,
      rows.map((row) => row[index] ?? null),
      full,
    ),
  );
}

function rowCells(row: readonly ResultValue[], formats: readonly CellFormat[]): string[] {
  return formats.map((format, index) => format(row[index] ?? null));
}

function coloured(bar: string, style: Style): string {
  return bar === "" ? "" : style.cyan(bar);
}

function barCells(result: Rows, cells: readonly (readonly string[])[], layout: ResultLayout) {
  const index = result.columns.findIndex(({ name }) => name === layout.barColumn);
  const column = result.columns[index];
  if (column === undefined || !isNumeric(column)) return undefined;
  const used = result.columns.reduce((sum, { name }, at) => sum + gapWidth + widest(name, cells, at), 0);
  const width = Math.min(mostBarWidth, layout.lineWidth - used);
  if (width < leastBarWidth) return undefined;
  // Totals and the gathered rest would make every other bar short.
  const kind = result.columns.findIndex(({ name }) => name === "row_kind");
  const title = cellText(column.name);
  return {
    title: stringWidth(title) > width || index === result.columns.length - 1 ? "" : title,
    bars: bars(
      result.values.map((row) => (isGathered(row[kind]) ? undefined : numeric(row[index]))),
      width,
    ),
  };
}

function isGathered(kind: ResultValue | undefined): boolean {
  return kind === "total" || kind === "subtotal" || kind === "others";
}

function numeric(value: ResultValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function widest(title: string, cells: readonly (readonly string[])[], column: number): number {
  return cells.reduce((most, row) => Math.max(most, stringWidth(row[column] ?? "")), stringWidth(title));
}
