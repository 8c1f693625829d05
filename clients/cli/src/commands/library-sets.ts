import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { InstallProgress, LibrarySet, LibrarySetDraft, LibrarySetSummary } from "../../../node/src/index.ts";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { exitCodes } from "../exit.ts";
import { writeWhole } from "../export-file.ts";
import { parseKindSettings, parsePackage } from "../grammar/library-set.ts";
import { repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { damagedSetFacts, installProgress, librarySetFacts, packageTable } from "../render/library-set.ts";
import { ProgressBar } from "../render/progress-bar.ts";
import { setCheckText } from "../render/set-check.ts";
import { pairs, table } from "../render/table.ts";
import { bytesText, plural, timeText } from "../render/units.ts";
import { namedOr, type SourceFlags, sourceOf, withSourceFlags } from "../source-flags.ts";
import { UsageError } from "../usage-error.ts";

interface CreateFlags {
  readonly package: readonly string[];
  readonly setting: readonly string[];
  readonly allowScripts: readonly string[];
  readonly registry?: string;
  readonly folder?: string;
  readonly lockfile?: string;
  readonly replace?: boolean;
}

/** `drover library-sets …` */
export function registerLibrarySets(program: Command, act: Act): void {
  const group = program.command("library-sets").description("packages at exact versions that sources are read with");
  group
    .command("create <name>")
    .description("install packages into a new set")
    .addOption(repeatable("-p, --package <NAME@VERSION>", "a package at one exact version; may be repeated"))
    .addOption(
      repeatable("--setting <KIND.OPTION=VALUE>", "what sources of a kind get unless they say it; may be repeated"),
    )
    .option("--registry <URL>", "the registry to ask (default: the driver's librarySets.registry, else npm's own)")
    .option(
      "--folder <DIR>",
      "take packages from the .tgz files of a folder on the driver's machine, and from nowhere else",
    )
    .option("--lockfile <FILE>", "install exactly what a package-lock.json says")
    .addOption(repeatable("--allow-scripts <NAME>", "let this package run its install scripts; may be repeated"))
    .option("--replace", "give the name to this set although it belongs to another one")
    .addHelpText(
      "after",
      `
A set never changes. The next driver of a profile that names the set works with what the name means then.

Examples:
  drover library-sets create warehouse -p pg@8.11.3 -p acme-connector@1.2.0
  drover library-sets create warehouse -p pg@8.11.3 --folder /srv/packages --setting postgres.partitions=2
  drover library-sets show warehouse --lockfile > package-lock.json
`,
    )
    .action(act(create));
  group.command("list").description("list sets").action(act(list));
  group
    .command("show <name>")
    .description("show a set with all of its packages")
    .option("--lockfile", "print its package-lock.json instead")
    .action(act(show));
  withSourceFlags(
    group
      .command("check <name>")
      .description("try a set: load all of its connectors, and test a source with it")
      .option("--source <SOURCE>", "a source's name, a path or a URL; other options of it as for `drover load`"),
  ).action(act(check));
  group.command("rm <name>").description("delete a set that no driver and no profile needs").action(act(remove));
  group
    .command("export <name> <file>")
    .description("write a set into one archive, for a machine without a network; - for standard output")
    .action(act(exportSet));
  group
    .command("import <name> <file>")
    .description("take a set from an archive; - for standard input")
    .option("--replace", "give the name to this set although it belongs to another one")
    .action(act(importSet));
}

async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  const { output, globals, call } = context;
  if (flags.registry !== undefined && flags.folder !== undefined)
    throw new UsageError("--registry and --folder exclude each other");
  if (flags.package.length === 0 && flags.lockfile === undefined) throw new UsageError("give --package or --lockfile");
  const draft: LibrarySetDraft = {
    ...{ name, registry: flags.registry, allowScripts: flags.allowScripts },
    packages: flags.package.map(parsePackage),
    settings: parseKindSettings(flags.setting),
    folder: flags.folder === undefined ? undefined : resolve(flags.folder),
    lockfile: flags.lockfile === undefined ? undefined : await textOf(flags.lockfile),
  };
  const bar = new ProgressBar(output.stderr, printable(name));
  const onProgress = (progress: InstallProgress) => {
    if (globals.json) void output.event({ event: "progress", ...progress });
    else bar.update(installProgress(progress));
  };
  await using drover = await context.connect();
  try {
    const made = await drover.librarySets.create(draft, { ...call, replace: flags.replace, onProgress });
    bar.clear();
    await told(context, made);
  } finally {
    bar.clear();
  }
}

async function list({ connect, call, globals, output }: Context): Promise<void> {
  await using drover = await connect();
  const found = await collect(drover.librarySets.list(call));
  if (globals.json) return output.document({ librarySets: found });
  const columns = [
    { title: "name" },
    { title: "packages" },
    { title: "kinds" },
    { title: "hash" },
    { title: "bytes", right: true },
    { title: "made" },
  ];
  const rows = found.map(({ name, asked, kinds, hash, bytes, createTime, problem }) => [
    printable(name),
    problem === undefined ? printable(asked.map((each) => `${each.name}@${each.version}`).join(", ")) : "damaged",
    printable(kinds.join(", ")),
    hash.slice(0, 12) || "-",
    problem === undefined ? bytesText(bytes) : "-",
    createTime === undefined ? "-" : timeText(createTime),
  ]);
  await output.write(table(columns, rows, output.style));
  const damaged = found.flatMap(({ name, problem }) => (problem === undefined ? [] : [{ name, problem }]));
  if (damaged.length > 0) await output.write("\n");
  for (const { name, problem } of damaged)
    await output.write(`${printable(name)}: ${problem.reason}: ${printable(problem.message)}\n`);
}

async function show(
  { connect, call, globals, output }: Context,
  name: string,
  { lockfile = false }: { readonly lockfile?: boolean },
): Promise<void> {
  await using drover = await connect();
  if (lockfile) return output.write(await drover.librarySets.lockfile(name, call));
  const set = await drover.librarySets.get(name, call);
  if (globals.json) return output.document({ librarySet: set });
  const { problem } = set;
  if (problem !== undefined) {
    await output.write(pairs(damagedSetFacts(set, problem), output.style));
    return;
  }
  await output.write(pairs(librarySetFacts(set), output.style));
  await output.write("\n");
  await output.write(packageTable(set, output.style));
}

interface CheckFlags extends SourceFlags {
  readonly source?: string;
}

async function check(context: Context, name: string, flags: CheckFlags): Promise<void> {
  const { connect, call, globals, output } = context;
  const { source: place, connection, format, option } = flags;
  const isGiven = place !== undefined || connection !== undefined;
  if (!isGiven && (format !== undefined || option.length > 0)) throw new UsageError("give --source or --connection");
  await using drover = await connect();
  const source = isGiven ? sourceOf(namedOr(place), flags) : undefined;
  const checked = await drover.librarySets.check(name, { ...call, source });
  if (globals.json) await output.document(checked);
  else await output.write(setCheckText(checked, place ?? connection ?? "", output.style));
  if (checked.problems.some(({ severity }) => severity === "error")) process.exitCode = exitCodes.failed;
}

async function remove({ connect, call, globals, output }: Context, name: string): Promise<void> {
  await using drover = await connect();
  await drover.librarySets.delete(name, call);
  if (globals.json) return output.document({ deleted: name });
  await output.write(`${printable(name)} is deleted\n`);
}

async function exportSet(context: Context, name: string, file: string): Promise<void> {
  const { connect, call, globals, output, interrupts } = context;
  if (file === "-" && globals.json) throw new UsageError("--json and - (standard output) exclude each other");
  await using drover = await connect();
  let bytes = 0;
  const counted = async function* () {
    for await (const piece of drover.librarySets.export(name, call)) {
      bytes += piece.length;
      yield piece;
    }
  };
  if (file === "-") for await (const piece of counted()) await output.write(piece);
  else await writeWhole(file, counted(), interrupts);
  if (globals.json) return output.document({ file, bytes });
  if (file !== "-") await output.write(`${printable(file)}: ${bytesText(bytes)}\n`);
}

async function importSet(
  context: Context,
  name: string,
  file: string,
  { replace }: { readonly replace?: boolean },
): Promise<void> {
  if (file === "") throw new UsageError("the path is empty");
  await using drover = await context.connect();
  const options = { ...context.call, replace };
  await told(context, await drover.librarySets.import(name, file === "-" ? process.stdin : file, options));
}

async function told({ globals, output }: Context, set: LibrarySet): Promise<void> {
  if (globals.json) return output.event({ event: "completed", librarySet: set });
  await output.write(`${printable(set.name)} is there: ${summary(set)}\n`);
}

function summary({ packageCount, bytes, hash, kinds }: LibrarySetSummary): string {
  const serves = kinds.length === 0 ? "serves no kind of source" : `serves ${printable(kinds.join(", "))}`;
  return `${plural(packageCount, "package")}, ${bytesText(bytes)}, ${serves}, ${hash.slice(0, 12)}`;
}

async function textOf(file: string): Promise<string> {
  if (file === "") throw new UsageError("the path is empty");
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} can't be read: ${error.code}`);
  });
}
