import type { Command } from "commander";
import { Option } from "commander";
import type { QueryOptions } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { parseLabels } from "../grammar/assignment.ts";
import { suggestion } from "../grammar/suggest.ts";
import { repeatable } from "../options.ts";
import { addQueryOptions, grammarHelp, parseQuery, type QueryFlags } from "../query-options.ts";
import { answer } from "../run-query.ts";
import { UsageError } from "../usage-error.ts";

/** Options of `query` and `sql` about how they run and how their answer is shown. */
export interface RunFlags {
  readonly stream?: boolean;
  readonly full?: boolean;
  readonly lane?: "interactive" | "batch";
  readonly wait: boolean;
  readonly label: readonly string[];
}

/** Adds them to a command. */
export function addRunOptions(command: Command): Command {
  return command
    .option("--stream", "print a large result batch by batch")
    .option("--full", "print floats with all their digits")
    .addOption(new Option("--lane <LANE>", "the lane in the readers' pool").choices(["interactive", "batch"]))
    .option("--no-wait", "fail instead of waiting for the dataset's first load")
    .addOption(repeatable("--label <KEY=VALUE>", "a label of the operation; may be repeated"));
}

/** The options as the client takes them. */
export function runOptions({ lane, label, wait }: RunFlags): Pick<QueryOptions, "lane" | "labels" | "noWait"> {
  return { lane, labels: parseLabels(label), noWait: !wait };
}

/** `drover query NAME …` */
export function registerQuery(program: Command, act: Act): void {
  addRunOptions(addQueryOptions(program.command("query <dataset>").description("ask an aggregate question")))
    .option("--bars [MEASURE]", "draw bars; on a terminal they are there for the first measure")
    .option("--no-bars", "draw none")
    .addHelpText("after", grammarHelp)
    .action(act(query));
}

async function query(
  context: Context,
  dataset: string,
  flags: QueryFlags & RunFlags & { readonly bars?: boolean | string },
): Promise<void> {
  const { spec, measureNames } = parseQuery(flags);
  const run = runOptions(flags);
  const barColumn = barColumnOf(flags.bars, context.output.isTty, measureNames);
  await using drover = await context.connect();
  const asked = drover.query(dataset, spec, { ...context.call, ...run, integers: "string" });
  const cancel = (id: string, signal: AbortSignal) => drover.cancel(id, { signal });
  await answer(context, asked, cancel, { stream: flags.stream, full: flags.full, barColumn });
}

function barColumnOf(bars: boolean | string | undefined, isTty: boolean, measureNames: readonly string[]) {
  if (typeof bars === "string") {
    if (measureNames.includes(bars)) return bars;
    throw new UsageError(`--bars: there is no measure "${bars}"${suggestion(bars, measureNames)}`);
  }
  return (bars ?? isTty) ? measureNames[0] : undefined;
}
