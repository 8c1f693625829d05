import type { Command } from "commander";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";

/** `drover drop NAME` */
export function registerDrop(program: Command, act: Act): void {
  program.command("drop <dataset>").description("delete a dataset with all its versions").action(act(drop));
}

async function drop({ connect, call, globals, output }: Context, dataset: string): Promise<void> {
  await using drover = await connect();
  await drover.deleteDataset(dataset, call);
  if (globals.json) return output.document({ dropped: dataset });
  await output.write(`${printable(dataset)} is dropped\n`);
}
