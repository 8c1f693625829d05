import { open, readFile, rename, rm } from "node:fs/promises";
import { text as textOf } from "node:stream/consumers";
import { type Command, Option } from "commander";
import type { ImportResult, JsonObject } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { jsonText } from "../render/json.ts";
import { plural } from "../render/units.ts";
import { UsageError } from "../usage-error.ts";

interface ImportFlags {
  readonly onConflict: "fail" | "skip" | "replace";
  readonly dryRun?: boolean;
}

/** `drover sources export …` and `import …` */
export function registerSourceDocuments(group: Command, act: Act): void {
  group
    .command("export [names...]")
    .description("write connections and sources as JSON, without secrets (default: all)")
    .option("--output <FILE>", "the file to write (default: standard output)")
    .action(act(exportSources));
  group
    .command("import <file>")
    .description("take connections and sources from JSON, - for standard input: all of them or none")
    .addOption(
      new Option("--on-conflict <WHAT>", "what happens to names that exist already and differ")
        .choices(["fail", "skip", "replace"])
        .default("fail"),
    )
    .option("--dry-run", "only say what would happen")
    .action(act(importSources));
}

async function exportSources(
  { connect, call, output }: Context,
  names: readonly string[],
  flags: { readonly output?: string },
): Promise<void> {
  await using drover = await connect();
  const document = await drover.sources.export({ ...call, names });
  if (flags.output === undefined) return output.document(document);
  await writeWhole(flags.output, `${jsonText(document, 2)}\n`);
  output.note(`written to ${printable(flags.output)}`);
}

/** A file that is there whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    await using file = await open(draft, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}

async function importSources(context: Context, file: string, flags: ImportFlags): Promise<void> {
  const { connect, call, globals, output } = context;
  const document = await read(file);
  await using drover = await connect();
  const options = { onConflict: flags.onConflict, validateOnly: flags.dryRun === true };
  const result = await drover.sources.import(document, { ...call, ...options });
  if (globals.json) return output.document(result);
  await output.write(`${summary(result)}${flags.dryRun ? " (nothing was written)" : ""}\n`);
  for (const { name, secret } of result.missingSecrets)
    output.note(
      secret === ""
        ? `connection ${printable(name)} needs its password: drover connections update ${printable(name)} --password`
        : `${printable(name)} needs a secret that the driver does not have: ${printable(secret)}`,
    );
}

async function read(file: string): Promise<JsonObject> {
  try {
    const text = file === "-" ? await textOf(process.stdin) : await readFile(file, "utf8");
    const document: unknown = JSON.parse(text);
    if (typeof document === "object" && document !== null && !Array.isArray(document)) return document as JsonObject;
    throw new Error("it holds no JSON object");
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

function summary(result: ImportResult): string {
  const { createdConnections, replacedConnections, createdSources, replacedSources, unchanged } = result;
  const parts = [
    [createdConnections.length, "connection", "made"],
    [replacedConnections.length, "connection", "replaced"],
    [createdSources.length, "source", "made"],
    [replacedSources.length, "source", "replaced"],
    [unchanged.length, "definition", "left as it was"],
  ] as const;
  const told = parts.filter(([count]) => count > 0).map(([count, what, done]) => `${plural(count, what)} ${done}`);
  return told.length === 0 ? "the document is empty" : told.join(", ");
}
