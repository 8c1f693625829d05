import type { Command } from "commander";
import type { Act, Context } from "../context.ts";
import { parseCount } from "../grammar/duration.ts";
import { printable } from "../render/cell.ts";
import { datasetDetailJson } from "../render/json.ts";
import { plural } from "../render/units.ts";

/** `drover rollback NAME VERSION` */
export function registerRollback(program: Command, act: Act): void {
  program
    .command("rollback <dataset> <version>")
    .description("make an older version current again, as a new version")
    .action(act(rollback));
}

async function rollback({ connect, call, globals, output }: Context, name: string, text: string): Promise<void> {
  const wanted = parseCount(text, 1);
  await using drover = await connect();
  const dataset = await drover.rollback(name, wanted, call);
  if (globals.json) return output.document({ dataset: datasetDetailJson(dataset) });
  const { number, rows } = dataset.version;
  await output.write(`${printable(name)}: version ${number} with the ${plural(rows, "row")} of version ${wanted}\n`);
}
