import type { FileScan } from "../../file-scan.ts";
import { renderExpr } from "../render/expressions.ts";
import { Parameters } from "../render/parameters.ts";

/** A scan's filter as a condition; undefined where it takes all rows. `column` gives the SQL of a column of the dataset. */
export function filterSql({ filter }: FileScan, column: (name: string) => string): string | undefined {
  if (filter === undefined) return undefined;
  return `((${renderExpr(filter, { parameters: new Parameters({ inline: true }), column })}) IS TRUE)`;
}

/** What a scan's limit adds to the end of a statement. */
export function limitSql({ limit }: FileScan): string {
  return limit === undefined ? "" : ` LIMIT ${limit}`;
}
