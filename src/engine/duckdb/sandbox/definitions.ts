import type { SqlDefinitions, SqlTable } from "../../engine.ts";
import { quoteIdentifier } from "../quoting.ts";
import { replaceTableNames } from "./table-names.ts";
import { tokensOf } from "./tokens.ts";

/** What a SELECT's datasets are called where they are defined. */
export function definedNames({ prefix }: SqlDefinitions, datasets: readonly string[]): ReadonlyMap<string, string> {
  return new Map(datasets.map((dataset, index) => [dataset, `${prefix} ${index + 1}`]));
}

/**
 * The text with each dataset defined once, as a common table expression in front, and named in place of the dataset, under the name that
 * it had. Not in the places of the names themselves: the engine calls a column without a name after its expression's text, and puts such
 * texts into errors, JSON and the keys of structs, so that they would tell where datasets are stored and by which rule rows are left out.
 */
export function withDefinitions(
  { sql, tables, definitions }: { sql: string; tables: readonly SqlTable[]; definitions: SqlDefinitions },
  relation: (dataset: string) => string,
): string {
  const datasets = [...new Set(tables.map(({ dataset }) => dataset))];
  if (datasets.length === 0) return sql;
  const names = definedNames(definitions, datasets);
  const nameOf = (dataset: string) => quoteIdentifier(names.get(dataset) ?? "");
  // Inlined wherever it is named, as a subquery would be: nothing is kept in memory for it.
  const list = datasets.map((dataset) => `${nameOf(dataset)} AS NOT MATERIALIZED ${relation(dataset)}`).join(", ");
  // Two names in quotes without a space between would be one.
  const replaced = replaceTableNames(sql, tables, ({ dataset }) => `${nameOf(dataset)} `, quoteIdentifier);
  const { at, opens } = definitions;
  return `${replaced.slice(0, at)}${opens ? `WITH ${list} ` : ` ${list},`}${replaced.slice(at)}`;
}

/** Where definitions may have their place: the first one that proves right is it. */
export function placesOfDefinitions(sql: string): readonly SqlDefinitions[] {
  const prefix = unusedPrefix(sql);
  const front = { at: 0, opens: true, prefix };
  let parentheses = 0;
  let within: number | undefined;
  for (const { text, end } of tokensOf(sql)) {
    if (/^(\s|--|\/\*)/.test(text)) continue;
    const word = text.toLowerCase();
    if (within !== undefined) {
      if (word === "recursive") within = end;
      break;
    }
    if (word === "(") parentheses += 1;
    else if (word === "with") within = end;
    else break;
  }
  if (within === undefined) return [front];
  // The first of two SELECTs in parentheses may have a WITH of its own; what is in parentheses as a whole can't get another one.
  const own = { at: within, opens: false, prefix };
  return parentheses === 0 ? [own] : [front, own];
}

function unusedPrefix(sql: string): string {
  const text = sql.toLowerCase();
  let prefix = "dataset";
  for (let number = 1; text.includes(`${prefix} `); number++) prefix = `dataset_${number}`;
  return prefix;
}
