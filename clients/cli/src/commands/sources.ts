import type { Command } from "commander";
import type { SourceChange, StoredSource } from "../../../node/src/index.ts";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { parseLabels, parseSourceOptions } from "../grammar/assignment.ts";
import { repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { librarySetFact, optionText, placeText, tellTest } from "../render/definitions.ts";
import { pairs, table } from "../render/table.ts";
import { timeText } from "../render/units.ts";
import { namedOr, type SourceFlags, sourceOf, withSourceFlags } from "../source-flags.ts";
import { UsageError } from "../usage-error.ts";
import { registerSourcePreview } from "./preview.ts";
import { registerSourceDocuments } from "./source-documents.ts";
import { registerSourceKinds } from "./source-kinds.ts";
import { registerTables } from "./tables.ts";

interface AddFlags extends SourceFlags {
  readonly label: readonly string[];
  readonly disabled?: boolean;
}

interface UpdateFlags extends SourceFlags {
  readonly uri?: string;
  readonly label: readonly string[];
}

/** `drover sources …` */
export function registerSources(program: Command, act: Act): void {
  const group = program.command("sources").description("where data comes from, by name: loaded as source:NAME");
  withSourceFlags(group.command("add <name> [uri]").description("keep a path, a glob, a URL or a table as a source"))
    .addOption(repeatable("--label <KEY=VALUE>", "a label; may be repeated"))
    .option("--disabled", "refuse loads of it for now")
    .addHelpText(
      "after",
      `
Examples:
  drover sources add flights '/data/flights-*.csv.gz' -o nullStrings=NA
  drover sources add orders --connection sales -o table=public.orders
  drover load orders source:orders
`,
    )
    .action(act(add));
  group
    .command("list")
    .description("list sources")
    .addOption(repeatable("--label <KEY=VALUE>", "only sources with this label; may be repeated"))
    .action(act(list));
  group.command("show <name>").description("show a source").action(act(show));
  withSourceFlags(
    group.command("test [source]").description("look whether a source can be reached: its name, a path or a URL"),
  ).action(act(test));
  registerSourcePreview(group, act);
  registerTables(group, act);
  withSourceFlags(group.command("update <name>").description("change a source; the next loads of it use the change"))
    .option("--uri <URI>", "another path, glob or URL")
    .addOption(repeatable("--label <KEY=VALUE>", "a label; may be repeated"))
    .action(act(update));
  group
    .command("enable <name>")
    .description("allow loads of a source again")
    .action(act((context, name: string) => change(context, name, { disabled: false }, "is enabled")));
  group
    .command("disable <name>")
    .description("refuse loads of a source; datasets that were made of it still answer")
    .action(act((context, name: string) => change(context, name, { disabled: true }, "is disabled")));
  group.command("rm <name>").description("delete a source; datasets that were made of it stay").action(act(remove));
  registerSourceDocuments(group, act);
  registerSourceKinds(group, act);
}

async function add(context: Context, name: string, uri: string | undefined, flags: AddFlags): Promise<void> {
  const source = sourceOf(uri, flags);
  const draft = { name, source, disabled: flags.disabled, labels: parseLabels(flags.label) };
  await using drover = await context.connect();
  await told(context, "is kept", await drover.sources.create(draft, context.call));
}

async function list({ connect, call, globals, output }: Context, flags: { readonly label: readonly string[] }) {
  const labels = parseLabels(flags.label);
  await using drover = await connect();
  const found = await collect(drover.sources.list({ ...call, labels }));
  if (globals.json) return output.document({ sources: found });
  const columns = [{ title: "name" }, { title: "format" }, { title: "from" }, { title: "loads" }, { title: "changed" }];
  const rows = found.map((stored) => [
    printable(stored.name),
    stored.source.format ?? "",
    placeText(stored.source),
    stored.disabled ? "refused" : "allowed",
    timeText(stored.updateTime),
  ]);
  await output.write(table(columns, rows, output.style));
}

async function show({ connect, call, globals, output }: Context, name: string): Promise<void> {
  await using drover = await connect();
  const stored = await drover.sources.get(name, call);
  if (globals.json) return output.document({ source: stored });
  const { source, disabled, librarySet, labels, createTime, updateTime } = stored;
  const entries: [string, string][] = [
    ["name", printable(stored.name)],
    ["format", source.format ?? ""],
    ["from", placeText(source)],
    ...librarySetFact(librarySet),
    ["loads", disabled ? "refused" : "allowed"],
    ...Object.entries(source.options ?? {}).map(([key, value]): [string, string] => [
      `option ${printable(key)}`,
      optionText(value),
    ]),
    ...Object.entries(labels).map(([key, value]): [string, string] => [`label ${printable(key)}`, printable(value)]),
    ["made", timeText(createTime)],
    ["changed", timeText(updateTime)],
  ];
  await output.write(pairs(entries, output.style));
}

async function test(context: Context, text: string | undefined, flags: SourceFlags): Promise<void> {
  const source = sourceOf(namedOr(text), flags);
  await using drover = await context.connect();
  const shown = text ?? flags.connection ?? "";
  await tellTest(context, shown, await drover.sources.test(source, context.call));
}

async function update(context: Context, name: string, flags: UpdateFlags): Promise<void> {
  const { uri, connection, format, option, label } = flags;
  await using drover = await context.connect();
  const before = await drover.sources.get(name, context.call);
  const elsewhere = uri !== undefined || connection !== undefined;
  // Another place may be of another kind.
  const place = elsewhere ? sourceOf(uri, flags) : { ...before.source, format: format ?? before.source.format };
  const options = { ...before.source.options, ...parseSourceOptions(option) };
  const labels = { ...before.labels, ...parseLabels(label) };
  const wanted: SourceChange = {
    ...((elsewhere || format !== undefined || option.length > 0) && { source: { ...place, options } }),
    ...(label.length > 0 && { labels }),
  };
  if (Object.keys(wanted).length === 0) throw new UsageError("nothing is to be changed");
  // What was read is what the change was made for.
  const { etag } = before;
  await told(context, "is changed", await drover.sources.update(name, wanted, { ...context.call, etag }));
}

async function change(context: Context, name: string, wanted: SourceChange, what: string): Promise<void> {
  await using drover = await context.connect();
  await told(context, what, await drover.sources.update(name, wanted, context.call));
}

async function remove({ connect, call, globals, output }: Context, name: string): Promise<void> {
  await using drover = await connect();
  await drover.sources.delete(name, call);
  if (globals.json) return output.document({ deleted: name });
  await output.write(`${printable(name)} is deleted\n`);
}

async function told({ globals, output }: Context, what: string, source: StoredSource): Promise<void> {
  if (globals.json) return output.document({ source });
  await output.write(`${printable(source.name)} ${what}\n`);
}
