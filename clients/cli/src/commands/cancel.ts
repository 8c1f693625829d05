import type { Command } from "commander";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { operationJson } from "../render/json.ts";
import { plural } from "../render/units.ts";

/** `drover cancel ID` */
export function registerCancel(program: Command, act: Act): void {
  program
    .command("cancel <id>")
    .description("cancel an operation and wait until it has stopped")
    .option("--everybody", "stop a load for all who have asked for it, in other drivers of the data directory, too")
    .action(act(cancel));
}

interface CancelFlags {
  readonly everybody?: boolean;
}

async function cancel({ connect, call, globals, output }: Context, id: string, flags: CancelFlags): Promise<void> {
  await using drover = await connect();
  const { others, ...operation } = await drover.cancel(id, { ...call, everybody: flags.everybody });
  if (globals.json) return output.document({ operation: operationJson(operation), others });
  await output.write(`${printable(operation.id)}: ${operation.state}\n`);
  if (others > 0) output.note(`the load goes on for ${plural(others, "other operation")}: --everybody stops it`);
}
