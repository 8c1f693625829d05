import { type Command, Option } from "commander";
import type { Drover, Export, ExportFormat, ExportOptions } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { formats, layoutOf, writeWhole } from "../export-file.ts";
import { parseLabels } from "../grammar/assignment.ts";
import { parseConditions } from "../grammar/condition.ts";
import { parseValue } from "../grammar/value.ts";
import { repeatable } from "../options.ts";
import { addQueryOptions, parseQuery, type QueryFlags } from "../query-options.ts";
import { printable } from "../render/cell.ts";
import { ProgressBar } from "../render/progress-bar.ts";
import { bytesText, plural } from "../render/units.ts";
import { UsageError } from "../usage-error.ts";

interface ExportFlags extends QueryFlags {
  readonly format?: ExportFormat;
  readonly compression?: "none" | "gzip" | "zstd";
  readonly header: boolean;
  readonly delimiter?: string;
  readonly null?: string;
  readonly root?: string;
  readonly record?: string;
  readonly column: readonly string[];
  readonly sql?: boolean;
  readonly parameter: readonly string[];
  readonly label: readonly string[];
  readonly wait: boolean;
}

/** `drover export NAME FILE …` */
export function registerExport(program: Command, act: Act): void {
  const command = program
    .command("export <dataset> <file>")
    .description("write a dataset, or the answer to a query, to a file (- for standard output)")
    .addOption(new Option("-f, --format <FORMAT>", "the format (default: from the file's ending)").choices(formats))
    .addOption(
      new Option("--compression <HOW>", "default: from the ending, else none; Parquet zstd").choices([
        "none",
        "gzip",
        "zstd",
      ]),
    )
    .option("--no-header", "csv, tsv: no line of names")
    .option("--delimiter <CHAR>", "csv, tsv: what stands between values")
    .option("--null <TEXT>", "csv, tsv: what stands for NULL (default: nothing)")
    .option("--root <NAME>", "xml: the root element (default: rows)")
    .option("--record <NAME>", "xml: a row's element (default: row)")
    .addOption(repeatable("-c, --column <COL>", "only this column of the dataset; may be repeated"))
    .option("--sql", "<dataset> is a SELECT instead")
    .addOption(repeatable("-p, --parameter <VALUE>", "with --sql: the value of $1, $2, …; may be repeated"))
    .option("--no-wait", "fail instead of waiting for the dataset's first load")
    .addOption(repeatable("--label <KEY=VALUE>", "a label of the operation; may be repeated"));
  addQueryOptions(command)
    .addHelpText(
      "after",
      `
Without options of a query the rows of the dataset are written (-w, --limit, --at-version say which). The file
appears when it is whole.

Examples:
  drover export flights flights.parquet
  drover export flights late.csv.gz -w 'delay > 60' -c origin -c delay
  drover export flights delays.jsonl -d origin -m avg:delay
  drover export --sql 'SELECT origin, max(delay) FROM flights GROUP BY 1' worst.csv
  drover export flights - --format csv | head
`,
    )
    .action(act(run));
}

async function run(context: Context, what: string, file: string, flags: ExportFlags): Promise<void> {
  const { output, globals } = context;
  if (file === "-" && globals.json) throw new UsageError("--json and - (standard output) exclude each other");
  const bar = new ProgressBar(output.stderr, printable(what.slice(0, 40)));
  let told = false;
  const onProgress: ExportOptions["onProgress"] = (progress) => {
    bar.update(progress);
    if (globals.json) void output.event({ event: "progress", ...progress });
  };
  const options = { ...optionsOf(flags, file), ...context.call, onProgress };
  const start = startOf(what, flags, options);
  await using drover = await context.connect();
  const exported = start(drover);
  const cancel = async (signal: AbortSignal) => {
    if (exported.operationId !== "") await drover.cancel(exported.operationId, { signal });
  };
  const watched = async function* () {
    for await (const bytes of exported) {
      if (globals.json && !told) await output.event({ event: "accepted", operation: exported.operationId });
      told = true;
      yield bytes;
    }
  };
  try {
    await context.interrupts.guard(cancel, () =>
      file === "-" ? toStandardOutput(output, watched()) : writeWhole(file, watched(), context.interrupts),
    );
  } finally {
    bar.clear();
  }
  await report(context, file, exported);
}

async function toStandardOutput(output: Context["output"], source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const bytes of source) await output.write(bytes);
}

async function report({ output, globals }: Context, file: string, { summary }: Export): Promise<void> {
  if (summary === undefined) return;
  if (globals.json) return output.event({ event: "completed", file, ...summary });
  const text = `${plural(summary.rows, "row")}, ${bytesText(summary.bytes)}`;
  if (file !== "-") await output.write(`${printable(file)}: ${text}\n`);
  else if (output.stderr.isTTY) output.note(output.errorStyle.dim(text));
}

function optionsOf(flags: ExportFlags, file: string): ExportOptions {
  const told = file === "-" ? {} : layoutOf(file);
  const format = flags.format ?? told.format;
  if (format === undefined) throw new UsageError(`the ending of ${file} tells no format: give --format`);
  // Parquet and Arrow files are not compressed as a whole.
  const ofEnding = format === "parquet" || format === "arrow" ? undefined : told.compression;
  return {
    format,
    compression: flags.compression ?? ofEnding,
    header: flags.header ? undefined : false,
    delimiter: flags.delimiter === "\\t" ? "\t" : flags.delimiter,
    nullText: flags.null,
    xmlRoot: flags.root,
    xmlRecord: flags.record,
    labels: parseLabels(flags.label),
    noWait: !flags.wait,
  };
}

/** What is exported, checked before a driver is looked for. */
function startOf(what: string, flags: ExportFlags, options: ExportOptions): (drover: Drover) => Export {
  if (flags.sql) {
    if (asksQuery(flags) || flags.column.length + flags.where.length > 0 || flags.limit !== undefined)
      throw new UsageError("--sql takes no options of a query");
    const parameters = flags.parameter.map(parseValue);
    return (drover) => drover.exportSql(what, { ...options, parameters });
  }
  if (asksQuery(flags)) {
    if (flags.column.length > 0)
      throw new UsageError("--column goes with the rows of a dataset; a query has -d and -m");
    const { spec } = parseQuery(flags);
    return (drover) => drover.exportQuery(what, spec, options);
  }
  const { column: columns, limit, atVersion: version } = flags;
  const where = parseConditions(flags.where);
  return (drover) => drover.export(what, { ...options, columns, where, limit, version });
}

function asksQuery({ dimension, measure, having, order, compute, let: lets, ...flags }: QueryFlags): boolean {
  const { offset, totals, top } = flags;
  const lists = [dimension, measure, having, order, compute, lets];
  return lists.some((list) => list.length > 0) || [offset, totals, top].some((flag) => flag !== undefined);
}
