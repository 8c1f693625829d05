import { resolve } from "node:path";
import type { Command } from "commander";
import type { JsonObject } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { parseSourceOptions } from "../grammar/assignment.ts";
import { counted, repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { ResultWriter } from "../render/result.ts";

interface PreviewFlags {
  readonly format?: string;
  readonly option: readonly string[];
  readonly limit: number;
  readonly full?: boolean;
}

/** `drover preview URI …` */
export function registerPreview(program: Command, act: Act): void {
  program
    .command("preview <uri>")
    .description("show the first rows of a source, with their types and what was found of it; loads nothing")
    .option("-f, --format <FORMAT>", "the kind of source (default: from the ending)")
    .addOption(repeatable("-o, --option <KEY=VALUE>", "an option of the source; may be repeated"))
    .addOption(counted("--limit <N>", "at most so many rows", 1).default(20))
    .option("--full", "print floats with all their digits")
    .action(act(previewSource));
}

async function previewSource(context: Context, uri: string, flags: PreviewFlags): Promise<void> {
  const { output, globals, call } = context;
  const options = parseSourceOptions(flags.option);
  // The driver has another working directory than the person at the keyboard.
  const place = /^[a-z][a-z0-9+.-]*:/i.test(uri) ? uri : resolve(uri);
  await using drover = await context.connect();
  const wanted = { ...call, limit: flags.limit, integers: "string" } as const;
  const found = await drover.preview({ uri: place, format: flags.format, options }, wanted);
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
