import { Argument, type Command } from "commander";
import type { StorageLevel } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { datasetJson } from "../render/json.ts";
import { bytesText } from "../render/units.ts";

const levels: readonly StorageLevel[] = ["disk", "memory", "pinned"];

/** `drover level NAME disk|memory|pinned` */
export function registerLevel(program: Command, act: Act): void {
  program
    .command("level <dataset>")
    .description("say where a dataset is kept")
    .addArgument(
      new Argument("<level>", "on disk only, in memory while there is room, or there for good").choices(levels),
    )
    .addHelpText(
      "after",
      `
It holds for later versions too, and in every driver of the data directory. Pinning waits until the
dataset is in memory, and fails where it has no room beside what is pinned.
`,
    )
    .action(act(level));
}

async function level({ connect, call, globals, output }: Context, name: string, wanted: StorageLevel): Promise<void> {
  await using drover = await connect();
  const dataset = await drover.setStorageLevel(name, wanted, call);
  if (globals.json) return output.document({ dataset: datasetJson(dataset) });
  const { storageLevel, resident, residentBytes, version } = dataset;
  const memory = resident ? `${bytesText(residentBytes)} in memory` : "not in memory";
  await output.write(`${printable(name)}: ${storageLevel}, ${memory}, ${bytesText(version.bytes)} on disk\n`);
}
