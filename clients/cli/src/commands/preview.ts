import type { Command } from "commander";
import type { JsonObject } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { counted } from "../options.ts";
import { printable } from "../render/cell.ts";
import { ResultWriter } from "../render/result.ts";
import { namedOr, type SourceFlags, sourceOf, withSourceFlags } from "../source-flags.ts";

interface PreviewFlags extends SourceFlags {
  readonly limit: number;
  readonly full?: boolean;
}

/** `drover preview URI …` */
export function registerPreview(program: Command, act: Act): void {
  register(
    program.command("preview [uri]"),
    act((context, uri, flags) => previewSource(context, uri, flags)),
  );
}

/** `drover sources preview NAME …` */
export function registerSourcePreview(group: Command, act: Act): void {
  register(
    group.command("preview [source]"),
    act((context, text, flags) => previewSource(context, namedOr(text), flags)),
  );
}

function register(command: Command, action: (text: string | undefined, flags: PreviewFlags) => Promise<void>): void {
  withSourceFlags(
    command.description("show the first rows of a source, with their types and what was found of it; loads nothing"),
  )
    .addOption(counted("--limit <N>", "at most so many rows", 1).default(20))
    .option("--full", "print floats with all their digits")
    .action(action);
}

async function previewSource(context: Context, uri: string | undefined, flags: PreviewFlags): Promise<void> {
  const { output, globals, call } = context;
  const named = sourceOf(uri, flags);
  await using drover = await context.connect();
  const wanted = { ...call, limit: flags.limit, integers: "string" } as const;
  const found = await drover.preview(named, wanted);
  const { source, columns, values, complete, foundOptions, warnings } = found;
  if (globals.json) return output.document({ source, columns, rows: values, complete, foundOptions, warnings });
  for (const warning of warnings) output.note(`warning: ${printable(warning)}`);
  await output.write(new ResultWriter(columns, { style: output.style, full: flags.full ?? false }).write(values));
  await output.write(`\n${columns.map(({ name, type }) => `${printable(name)} ${type}`).join(", ")}\n`);
  const facts = [source.format ?? "", foundText(foundOptions), complete ? "" : "there are more rows"];
  await output.write(`${facts.filter((fact) => fact !== "").join("; ")}\n`);
}

function foundText(options: JsonObject): string {
  const shown = Object.entries(options).map(([name, value]) => `${name}=${printable(JSON.stringify(value))}`);
  return shown.length === 0 ? "" : `found: ${shown.join(" ")}`;
}
