import type { Command } from "commander";
import type { ColumnStatistics, ResultValue } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { addFreshnessOptions, type FreshnessFlags, freshnessOf } from "../freshness-options.ts";
import { parseConditions } from "../grammar/condition.ts";
import { counted, repeatable } from "../options.ts";
import { cellText, floatText } from "../render/cell.ts";
import { table } from "../render/table.ts";
import { countText } from "../render/units.ts";

interface StatsFlags extends FreshnessFlags {
  readonly where: readonly string[];
  readonly atVersion?: number;
}

/** `drover stats NAME [COL]…` */
export function registerStats(program: Command, act: Act): void {
  addFreshnessOptions(program.command("stats <dataset> [columns...]"))
    .description("show counts, bounds and quantiles of columns")
    .addOption(repeatable("-w, --where <CONDITION>", "only rows that pass; several must all hold"))
    .addOption(counted("--at-version <V>", "read this version of the dataset", 1))
    .action(act(stats));
}

async function stats(context: Context, dataset: string, names: readonly string[], flags: StatsFlags): Promise<void> {
  const where = parseConditions(flags.where);
  const { output, globals, call } = context;
  await using drover = await context.connect();
  const options = {
    ...call,
    where,
    columns: names,
    version: flags.atVersion,
    ...freshnessOf(flags),
    integers: "string",
  } as const;
  const statistics = await drover.statistics(dataset, options);
  if (globals.json) return output.document(statistics);
  const columns = [
    { title: "column" },
    { title: "type" },
    { title: "nulls", right: true },
    { title: "distinct ≈", right: true },
    { title: "min", right: true },
    { title: "max", right: true },
    { title: "mean", right: true },
    { title: "stddev", right: true },
    { title: "quartiles ≈" },
  ];
  await output.write(table(columns, statistics.columns.map(statsRow), output.style));
}

function boundText(value: ResultValue): string {
  return typeof value === "number" ? floatText(value) : cellText(value);
}

function statsRow(statistics: ColumnStatistics): string[] {
  const { column, nullCount, approximateDistinctCount, min, max, mean, stddev, quartiles } = statistics;
  return [
    cellText(column.name),
    column.type,
    countText(nullCount),
    countText(approximateDistinctCount),
    boundText(min),
    boundText(max),
    mean === undefined ? "" : floatText(mean),
    stddev === undefined ? "" : floatText(stddev),
    quartiles.map(floatText).join(" "),
  ];
}
