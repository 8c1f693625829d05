import type { Command } from "commander";
import type { Dataset } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { printable } from "../render/cell.ts";
import { loadedText } from "../render/definitions.ts";
import { datasetDetailJson } from "../render/json.ts";
import { usedLibrariesText } from "../render/library-sets.ts";
import { refreshFacts } from "../render/refresh.ts";
import { pairs, table } from "../render/table.ts";
import { bytesText, countText, plural, timeText } from "../render/units.ts";

/** `drover describe NAME` */
export function registerDescribe(program: Command, act: Act): void {
  program.command("describe <dataset>").description("show a dataset and its columns").action(act(describe));
}

async function describe({ connect, call, globals, output }: Context, name: string): Promise<void> {
  await using drover = await connect();
  const dataset = await drover.dataset(name, call);
  if (globals.json) return output.document({ dataset: datasetDetailJson(dataset) });
  const rows = dataset.columns.map((column) => [printable(column.name), printable(column.type), column.kind]);
  const columns = [{ title: "column" }, { title: "type" }, { title: "kind" }];
  await output.write(`${pairs(facts(dataset), output.style)}\n${table(columns, rows, output.style)}`);
}

/** What is told of a dataset to those who may see all of it. */
function sizes({ version, resident, residentBytes }: Dataset): [string, string][] {
  const { libraries } = version;
  return [
    ["rows", countText(version.rows)],
    ["source", `${loadedText(version.source)} (${bytesText(version.sourceBytes)})`],
    ...(libraries === undefined ? [] : [["read with", usedLibrariesText(libraries)] satisfies [string, string]]),
    ["on disk", `${bytesText(version.bytes)} in ${plural(version.segments, "segment")}`],
    ["in memory", resident ? bytesText(residentBytes) : "no"],
  ];
}

function facts(dataset: Dataset): [string, string][] {
  const { name, version, labels, storageLevel, storageLevelProblem } = dataset;
  const labelText = Object.entries(labels).map(([key, value]) => printable(`${key}=${value}`));
  const entries: [string, string][] = [
    ["name", printable(name)],
    ["version", `${version.number}, loaded ${timeText(version.createTime)}`],
    ...(version.partial
      ? ([["rows", "the token shows only some, or not all columns"]] satisfies [string, string][])
      : sizes(dataset)),
    ["level", storageLevel],
  ];
  if (storageLevelProblem !== "") entries.push(["problem", printable(storageLevelProblem)]);
  entries.push(...refreshFacts(version.increment, dataset.refresh));
  if (labelText.length > 0) entries.push(["labels", labelText.join(", ")]);
  if (version.rejectedRows > 0) entries.push(["rejected", plural(version.rejectedRows, "row")]);
  for (const warning of version.warnings) entries.push(["warning", printable(warning)]);
  return entries;
}
