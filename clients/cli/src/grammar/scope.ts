import type { HiddenColumns, RowRule } from "../../../node/src/index.ts";
import { UsageError } from "../usage-error.ts";
import { parseCondition } from "./condition.ts";

/** `PATTERN: CONDITION`: which rows of the datasets that the pattern matches are there. */
export function parseRowRule(text: string): RowRule {
  const [dataset, condition] = parts(text, "PATTERN: CONDITION");
  return { dataset, where: parseCondition(condition) };
}

/** `PATTERN: COLUMN, …`: which columns are not there; these are patterns, too. */
export function parseHidden(text: string): HiddenColumns {
  const [dataset, list] = parts(text, "PATTERN: COLUMN,…");
  const columns = list.split(",").map((column) => column.trim());
  if (columns.includes("")) throw new UsageError(`"${text}": a column has no name`);
  return { dataset, columns };
}

/** At the first colon; a pattern can match a name's own colon by `?`. */
function parts(text: string, form: string): readonly [pattern: string, rest: string] {
  const colon = text.indexOf(":");
  const [pattern, rest] = [text.slice(0, Math.max(0, colon)).trim(), text.slice(colon + 1).trim()];
  if (pattern === "" || rest === "") throw new UsageError(`"${text}": write ${form}`);
  return [pattern, rest];
}
