import type { Command } from "commander";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { loadedText } from "../render/definitions.ts";
import { versionJson } from "../render/json.ts";
import { table } from "../render/table.ts";
import { bytesText, countText, timeText } from "../render/units.ts";

/** `drover versions NAME` */
export function registerVersions(program: Command, act: Act): void {
  program
    .command("versions <dataset>")
    .description("list the versions of a dataset that are kept")
    .action(act(versions));
}

async function versions({ connect, call, globals, output }: Context, dataset: string): Promise<void> {
  await using drover = await connect();
  const found = await collect(drover.versions(dataset, call));
  if (globals.json) return output.document({ versions: found.map(versionJson) });
  const columns = [
    { title: "version", right: true },
    { title: "rows", right: true },
    { title: "on disk", right: true },
    { title: "loaded" },
    { title: "source" },
  ];
  const rows = found.map((version) => [
    String(version.number),
    version.partial ? "-" : countText(version.rows),
    version.partial ? "-" : bytesText(version.bytes),
    timeText(version.createTime),
    loadedText(version.source),
  ]);
  await output.write(table(columns, rows, output.style));
}
