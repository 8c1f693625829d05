import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { DueRefresh } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { addIncrementOptions, type IncrementFlags, incrementOf } from "../increment-options.ts";
import { printable } from "../render/cell.ts";
import { operationJson } from "../render/json.ts";
import { UsageError } from "../usage-error.ts";
import { carryOut } from "./load.ts";

interface RefreshFlags extends IncrementFlags {
  readonly full?: boolean;
  readonly incremental?: boolean;
  readonly due?: boolean;
  readonly wait: boolean;
}

/** `drover refresh NAME …`, `drover refresh --due` */
export function registerRefresh(program: Command, act: Act): void {
  addIncrementOptions(program.command("refresh [dataset]"))
    .description("read a dataset's source again")
    .option("--full", "everything, also where there is a rule for increments")
    .option("--incremental", "only what is new, as the dataset's rule or --watermark says")
    .option("--due", "whatever the datasets' schedules want by now; for the timers of a machine")
    .option("--no-wait", "start the refresh and leave it to the driver")
    .action(act(refresh));
}

async function refresh(context: Context, dataset: string | undefined, flags: RefreshFlags): Promise<void> {
  const increment = incrementOf(flags);
  if (flags.full && (flags.incremental || increment))
    throw new UsageError("--full reads everything: leave the rest out");
  if (flags.due) {
    const other = dataset !== undefined || flags.full || flags.incremental || increment || !flags.wait;
    if (other) throw new UsageError("--due refreshes what is due, as its datasets say, and nothing else goes with it");
    return await refreshDue(context);
  }
  if (dataset === undefined) throw new UsageError("name a dataset, or give --due");
  const mode = flags.full ? "full" : flags.incremental || increment ? "incremental" : undefined;
  const operationId = randomUUID();
  await using drover = await context.connect();
  const begin = () => drover.refresh(dataset, { ...context.call, operationId, mode, increment });
  await carryOut(context, drover, { dataset, operationId, begin, wait: flags.wait });
}

async function refreshDue(context: Context): Promise<void> {
  const { output, globals, call } = context;
  await using drover = await context.connect();
  let failed: DueRefresh["error"];
  let count = 0;
  for await (const run of drover.refreshDue(call)) {
    count++;
    failed ??= run.error;
    if (globals.json) await output.event(jsonEvent(run));
    else if (run.error === undefined) await output.write(`${printable(run.dataset)}: ${outcomeText(run)}\n`);
    else output.note(`${printable(run.dataset)}: ${run.error.reason}: ${printable(run.error.message)}`);
  }
  if (count === 0 && !globals.json) await output.write("nothing is due\n");
  if (failed !== undefined) throw failed;
}

function outcomeText({ operation }: DueRefresh): string {
  const { version, unchanged } = operation?.outcome ?? {};
  return unchanged === true ? `nothing new, version ${version} stays` : `version ${version}`;
}

function jsonEvent({ dataset, operation, error }: DueRefresh) {
  return {
    event: "refreshed",
    dataset,
    ...(operation && { operation: operationJson(operation) }),
    ...(error && { reason: error.reason, message: error.message }),
  };
}
