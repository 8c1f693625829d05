import type { Plan } from "../../engine/plan.ts";
import { columnsOf } from "../../engine/plan-columns.ts";
import { planFilter } from "../filters.ts";
import { Place } from "../place.ts";
import { wantedColumns } from "../plan-rows.ts";
import { Columns, column, type DatasetSchema } from "../schema.ts";
import type { ExportSubject } from "./model.ts";

/** Plans the rows of a version in stored order. Throws UNKNOWN_COLUMN, DUPLICATE_NAME, INVALID_FILTER. */
export function planExport(
  { columns: asked, filter: given, limit }: Extract<ExportSubject, { kind: "dataset" }>,
  schema: DatasetSchema,
): Plan {
  const columns = new Columns(schema);
  const root = new Place();
  const names = wantedColumns(asked, columns, schema, root);
  const filter = given && planFilter(given, columns.scope, root.at("filter"));
  const used = new Set(names);
  if (filter) columnsOf(filter, used);
  const source = columns.source(used, { ordered: true });
  const rows: Plan = filter ? { op: "filter", input: source, condition: filter } : source;
  const plan: Plan = { op: "project", input: rows, columns: names.map(column) };
  return limit > 0 ? { op: "limit", input: plan, limit } : plan;
}
