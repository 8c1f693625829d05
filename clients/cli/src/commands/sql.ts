import type { Command } from "commander";
import type { Act, Context } from "../context.ts";
import { parseValue } from "../grammar/value.ts";
import { repeatable } from "../options.ts";
import { answer } from "../run-query.ts";
import { addRunOptions, type RunFlags, runOptions } from "./query.ts";

/** `drover sql 'SELECT …'` */
export function registerSql(program: Command, act: Act): void {
  const command = program.command("sql <select>").description("run one SELECT over datasets");
  addRunOptions(command)
    .addOption(repeatable("-p, --parameter <VALUE>", "the value of $1, $2, …; may be repeated"))
    .action(act(sql));
}

async function sql(context: Context, select: string, flags: RunFlags & { readonly parameter: readonly string[] }) {
  const parameters = flags.parameter.map(parseValue);
  const asked = runOptions(flags);
  await using drover = await context.connect();
  const options = { ...context.call, ...asked, integers: "string", parameters } as const;
  const cancel = (id: string, signal: AbortSignal) => drover.cancel(id, { signal });
  await answer(context, drover.sql(select, options), cancel, { stream: flags.stream, full: flags.full });
}
