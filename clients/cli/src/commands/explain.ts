import type { Command } from "commander";
import type { Act, Context } from "../context.ts";
import { parseValue } from "../grammar/value.ts";
import { repeatable } from "../options.ts";
import { addQueryOptions, grammarHelp, parseQuery, type QueryFlags } from "../query-options.ts";
import { UsageError } from "../usage-error.ts";

/** `drover explain NAME …` and `drover explain --sql 'SELECT …'` */
export function registerExplain(program: Command, act: Act): void {
  addQueryOptions(program.command("explain [dataset]").description("show how a query would be answered"))
    .option("--sql <SELECT>", "explain SQL instead")
    .addOption(repeatable("-p, --parameter <VALUE>", "the value of $1, $2, … of the SQL"))
    .addHelpText("after", grammarHelp)
    .action(act(explain));
}

async function explain(
  context: Context,
  dataset: string | undefined,
  flags: QueryFlags & { readonly sql?: string; readonly parameter: readonly string[] },
): Promise<void> {
  if ((dataset === undefined) === (flags.sql === undefined)) throw new UsageError("name a dataset, or give --sql");
  const { spec } = parseQuery(flags);
  await using drover = await context.connect();
  const explanation =
    dataset === undefined
      ? await drover.explainSql({ sql: flags.sql ?? "", parameters: flags.parameter.map(parseValue) }, context.call)
      : await drover.explain(dataset, spec, context.call);
  if (context.globals.json) return context.output.document(explanation);
  const { text, statement } = explanation;
  await context.output.write(
    [text, statement]
      .filter((part) => part !== "")
      .join("\n\n")
      .concat("\n"),
  );
}
