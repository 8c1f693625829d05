import type { Source, SourceTest } from "../../../node/src/index.ts";
import type { Context } from "../context.ts";
import { printable } from "./cell.ts";

/** Says what a test has found. */
export async function tellTest({ globals, output }: Context, name: string, result: SourceTest): Promise<void> {
  if (globals.json) return output.document(result);
  await output.write(`${printable(name)}: ${printable(result.description)}\n`);
  for (const warning of result.warnings) output.note(`warning: ${printable(warning)}`);
}

/** An option's value as it would be given. */
export function optionText(value: unknown): string {
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}

/** Where a source's data comes from: its URI, or its connection. */
export function placeText({ uri = "", connection }: Pick<Source, "uri" | "connection">): string {
  return printable(connection === undefined ? uri : `connection ${connection}`);
}

/** The same with what is read there, for what was loaded: `connection sales, table orders`. */
export function loadedText(source: Source | undefined): string {
  if (source === undefined) return "-";
  const { table, query } = source.options ?? {};
  const what = typeof table === "string" ? `, table ${printable(table)}` : query === undefined ? "" : ", a query";
  return source.connection === undefined ? placeText(source) || "-" : placeText(source) + what;
}

/** Which library set serves something, where one does. */
export function librarySetFact(librarySet: string | undefined): [string, string][] {
  return librarySet === undefined ? [] : [["read with", `library set ${printable(librarySet)}`]];
}
