import type { Command } from "commander";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { addFreshnessOptions, type FreshnessFlags, freshnessOf } from "../freshness-options.ts";
import { parseConditions } from "../grammar/condition.ts";
import { counted, repeatable } from "../options.ts";
import { ResultWriter } from "../render/result.ts";

interface RowsFlags extends FreshnessFlags {
  readonly column: readonly string[];
  readonly where: readonly string[];
  readonly limit: number;
  readonly all?: boolean;
  readonly atVersion?: number;
  readonly full?: boolean;
  readonly stream?: boolean;
}

/** `drover rows NAME …` */
export function registerRows(program: Command, act: Act): void {
  addFreshnessOptions(program.command("rows <dataset>"))
    .description("show raw rows, in the order in which they are stored")
    .addOption(repeatable("-c, --column <COL>", "only this column; may be repeated"))
    .addOption(repeatable("-w, --where <CONDITION>", "only rows that pass; several must all hold"))
    .addOption(counted("--limit <N>", "at most so many rows").default(100))
    .option("--all", "every row")
    .addOption(counted("--at-version <V>", "read this version of the dataset", 1))
    .option("--full", "print floats with all their digits")
    .option("--stream", "with --json: one line for each page, for any number of rows")
    .action(act(rows));
}

async function rows(context: Context, dataset: string, flags: RowsFlags): Promise<void> {
  const where = parseConditions(flags.where);
  const { output, globals, call } = context;
  await using drover = await context.connect();
  const reader = drover.rows(dataset, {
    ...call,
    where,
    columns: flags.column,
    version: flags.atVersion,
    ...freshnessOf(flags),
    limit: flags.all ? undefined : flags.limit,
    integers: "string",
  });
  if (globals.json) return await (flags.stream ? jsonPages(output, reader) : jsonDocument(output, reader));
  let writer: ResultWriter | undefined;
  for await (const page of reader.pages()) {
    writer ??= new ResultWriter(page.columns, { style: output.style, full: flags.full ?? false });
    await output.write(writer.write(page.values));
  }
}

type Reader = ReturnType<Awaited<ReturnType<Context["connect"]>>["rows"]>;

async function jsonPages(output: Context["output"], reader: Reader): Promise<void> {
  for await (const { columns, values, version } of reader.pages())
    await output.event({ event: "rows", version, columns, rows: values });
}

async function jsonDocument(output: Context["output"], reader: Reader): Promise<void> {
  const pages = await collect(reader.pages());
  const { columns, version } = pages[0] ?? { columns: [], version: 0 };
  await output.document({ version, columns, rows: pages.flatMap(({ values }) => values) });
}
