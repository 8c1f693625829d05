import type { Command } from "commander";
import type { Act, Context } from "../context.ts";
import { addFreshnessOptions, type FreshnessFlags, freshnessOf } from "../freshness-options.ts";
import { parseCount } from "../grammar/duration.ts";
import { parseValue } from "../grammar/value.ts";
import { repeatable } from "../options.ts";
import { answer } from "../run-query.ts";
import { UsageError } from "../usage-error.ts";
import { addRunOptions, type RunFlags, runOptions } from "./query.ts";

interface SqlFlags extends RunFlags, FreshnessFlags {
  readonly parameter: readonly string[];
  readonly atVersion: readonly string[];
}

/** `drover sql 'SELECT …'` */
export function registerSql(program: Command, act: Act): void {
  const command = program.command("sql <select>").description("run one SELECT over datasets");
  addFreshnessOptions(addRunOptions(command))
    .addOption(repeatable("--at-version <DATASET=V>", "read this version of a dataset; may be repeated"))
    .addOption(repeatable("-p, --parameter <VALUE>", "the value of $1, $2, …; may be repeated"))
    .action(act(sql));
}

async function sql(context: Context, select: string, flags: SqlFlags) {
  const parameters = flags.parameter.map(parseValue);
  const asked = runOptions(flags);
  await using drover = await context.connect();
  const versions = Object.fromEntries(flags.atVersion.map(versionOf));
  const fresh = freshnessOf(flags);
  const options = { ...context.call, ...asked, integers: "string", parameters, versions, ...fresh } as const;
  const cancel = (id: string, signal: AbortSignal) => drover.cancel(id, { signal });
  await answer(context, drover.sql(select, options), cancel, { stream: flags.stream, full: flags.full });
}

function versionOf(text: string): readonly [string, number] {
  const at = text.lastIndexOf("=");
  if (at < 1) throw new UsageError(`--at-version: "${text}" is not DATASET=VERSION`);
  return [text.slice(0, at), parseCount(text.slice(at + 1), 1)];
}
