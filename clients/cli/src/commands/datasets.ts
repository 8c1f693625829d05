import type { Command } from "commander";
import { collect } from "../collect.ts";
import type { Act, Context } from "../context.ts";
import { parseLabels } from "../grammar/assignment.ts";
import { repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { datasetJson } from "../render/json.ts";
import { table } from "../render/table.ts";
import { bytesText, countText, timeText } from "../render/units.ts";

/** `drover datasets` */
export function registerDatasets(program: Command, act: Act): void {
  program
    .command("datasets")
    .description("list datasets")
    .addOption(repeatable("--label <KEY=VALUE>", "only datasets with this label; may be repeated"))
    .action(act(datasets));
}

async function datasets({ connect, call, globals, output }: Context, flags: { readonly label: readonly string[] }) {
  const labels = parseLabels(flags.label);
  await using drover = await connect();
  const found = await collect(drover.datasets({ ...call, labels }));
  if (globals.json) return output.document({ datasets: found.map(datasetJson) });
  const columns = [
    { title: "name" },
    { title: "version", right: true },
    { title: "rows", right: true },
    { title: "on disk", right: true },
    { title: "in memory", right: true },
    { title: "level" },
    { title: "loaded" },
  ];
  const rows = found.map(({ name, version, resident, residentBytes, storageLevel, storageLevelProblem }) => [
    printable(name),
    String(version.number),
    version.partial ? "-" : countText(version.rows),
    version.partial ? "-" : bytesText(version.bytes),
    resident && !version.partial ? bytesText(residentBytes) : "-",
    storageLevelProblem === "" ? storageLevel : `${storageLevel}, not held`,
    timeText(version.createTime),
  ]);
  await output.write(table(columns, rows, output.style));
}
