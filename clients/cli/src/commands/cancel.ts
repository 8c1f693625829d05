import type { Command } from "commander";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { operationJson } from "../render/json.ts";

/** `drover cancel ID` */
export function registerCancel(program: Command, act: Act): void {
  program.command("cancel <id>").description("cancel an operation and wait until it has stopped").action(act(cancel));
}

async function cancel({ connect, call, globals, output }: Context, id: string): Promise<void> {
  await using drover = await connect();
  const operation = await drover.cancel(id, call);
  if (globals.json) return output.document({ operation: operationJson(operation) });
  await output.write(`${printable(operation.id)}: ${operation.state}\n`);
}
