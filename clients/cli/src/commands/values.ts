import type { Command } from "commander";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { addFreshnessOptions, type FreshnessFlags, freshnessOf } from "../freshness-options.ts";
import { parseConditions } from "../grammar/condition.ts";
import { counted, repeatable } from "../options.ts";
import { cellText } from "../render/cell.ts";
import { table } from "../render/table.ts";
import { countText } from "../render/units.ts";

interface ValuesFlags extends FreshnessFlags {
  readonly prefix?: string;
  readonly where: readonly string[];
  readonly limit: number;
  readonly all?: boolean;
  readonly atVersion?: number;
}

/** `drover values NAME COL` */
export function registerValues(program: Command, act: Act): void {
  addFreshnessOptions(program.command("values <dataset> <column>"))
    .description("list the different values of a column with their counts")
    .option("--prefix <TEXT>", "only values that start with this, whatever the case")
    .addOption(repeatable("-w, --where <CONDITION>", "only rows that pass; several must all hold"))
    .addOption(counted("--limit <N>", "at most so many values").default(100))
    .option("--all", "every value")
    .addOption(counted("--at-version <V>", "read this version of the dataset", 1))
    .action(act(values));
}

async function values(context: Context, dataset: string, column: string, flags: ValuesFlags): Promise<void> {
  const where = parseConditions(flags.where);
  const { output, globals, call } = context;
  await using drover = await context.connect();
  const options = {
    ...call,
    where,
    prefix: flags.prefix,
    version: flags.atVersion,
    ...freshnessOf(flags),
    limit: flags.all ? undefined : flags.limit,
    integers: "string",
  } as const;
  const found = await collect(drover.values(dataset, column, options));
  if (globals.json) return output.document({ column, values: found });
  const rows = found.map(({ value, count }) => [cellText(value), countText(count)]);
  const columns = [{ title: cellText(column) }, { title: "rows", right: true }];
  await output.write(table(columns, rows, output.style));
}
