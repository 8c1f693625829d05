import type { FileScan, ScanColumn } from "../../engine/file-scan.ts";
import type { Expr } from "../../engine/plan.ts";
import { kindOfTypeText } from "../../engine/type-kind.ts";
import { columnType } from "../../queries/column-type.ts";
import { planFilter } from "../../queries/filters.ts";
import { Place } from "../../queries/place.ts";
import { Scope } from "../../queries/scope.ts";
import type { Connector, Source } from "../../sources/connector.ts";

/**
 * The filter and limit of a load, where the engine has to see to them: some connectors do it themselves. Over several scans, of which
 * one is read after the other.
 */
export class WantedRows {
  readonly #filter: Source["filter"];
  #left: number | undefined;

  constructor({ filter, limit }: Pick<Source, "filter" | "limit">, { filters }: Pick<Connector, "filters"> = {}) {
    this.#filter = filters ? undefined : filter;
    this.#left = filters ? undefined : limit;
  }

  /** Whether partitions have to be read one after the other, since each counts. */
  get areCounted(): boolean {
    return this.#left !== undefined;
  }

  /** Whether no more are wanted. */
  get areComplete(): boolean {
    return this.#left === 0;
  }

  /** The scan of those rows only. A filter means what it means in a query of columns with these types. Throws INVALID_FILTER, UNKNOWN_COLUMN. */
  of(scan: FileScan): FileScan {
    const limited = this.#left === undefined ? scan : { ...scan, limit: this.#left };
    if (this.#filter === undefined) return limited;
    return { ...limited, filter: plannedFor(this.#filter, scan.columns ?? []) };
  }

  /** Counts rows that were written. */
  took(rows: number): void {
    if (this.#left !== undefined) this.#left = Math.max(0, this.#left - rows);
  }
}

/** What an inferred type may turn out to be, once all rows are read. Values of both compare in the wider one. */
const WIDER: Readonly<Record<string, string>> = { BIGINT: "DECIMAL(38,19)", DATE: "TIMESTAMP" };

/** A value that does not fit a type which was told from the first rows may still fit the column. */
function plannedFor(filter: NonNullable<Source["filter"]>, columns: readonly ScanColumn[]): Expr {
  const planned = (typeOf: (column: ScanColumn) => string) => {
    const types = columns.map((column) => {
      const type = typeOf(column);
      return [column.name, columnType({ type, kind: kindOfTypeText(type) })] as const;
    });
    return planFilter(filter, new Scope("column of the source", types), new Place("filter"));
  };
  try {
    return planned(({ type }) => type);
  } catch (error) {
    try {
      return planned(({ type, origin }) => (origin === "inferred" ? (WIDER[type] ?? type) : type));
    } catch {
      throw error;
    }
  }
}
