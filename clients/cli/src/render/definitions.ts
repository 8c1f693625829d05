import type { SourceTest } from "../../../node/src/index.ts";
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
