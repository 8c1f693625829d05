import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { groups } from "./measures/index.ts";
import { type Bench, judge, type MeasureGroup, type Result } from "./support/measure.ts";

const { values, positionals } = parseArgs({ options: { json: { type: "boolean" } }, allowPositionals: true });
const selection = chosen(positionals);
if (selection.length === 0) {
  const known = groups.flatMap((group) => group.measures.map(({ name }) => name));
  console.error(`no measure's name contains ${positionals.join(" or ")}; there are ${known.join(", ")}`);
  process.exit(2);
}
const results = await run(selection);
if (values.json) console.log(JSON.stringify({ measures: results.map(({ title: _, ...rest }) => rest) }));
else printTable(results);

function chosen(words: readonly string[]): MeasureGroup[] {
  if (words.length === 0) return groups.filter((group) => !group.onlyWhenNamed);
  return groups
    .map((group) => ({
      ...group,
      measures: group.measures.filter(({ name }) =>
        words.some((word) => group.name === word || (!group.onlyWhenNamed && name.includes(word)) || name === word),
      ),
    }))
    .filter((group) => group.measures.length > 0);
}

async function run(selection: readonly MeasureGroup[]): Promise<Result[]> {
  const folder = await mkdtemp(join(tmpdir(), "drover-bench-"));
  const cache = join(import.meta.dirname, "..", ".cache", "bench");
  await mkdir(cache, { recursive: true });
  const bench: Bench = { folder, cache, note: (text) => process.stderr.write(`  ${text}\n`) };
  const found: Result[] = [];
  try {
    for (const measure of selection.flatMap((group) => group.measures)) {
      process.stderr.write(`${measure.name}\n`);
      found.push(judge(measure, await measure.value(bench)));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return found;
}

function printTable(rows: readonly Result[]): void {
  const width = Math.max(...rows.map(({ title }) => title.length));
  for (const { title, value, unit, target, met } of rows) {
    console.log(
      `${title.padEnd(width)}  ${value.toFixed(2).padStart(9)} ${unit.padEnd(6)}  ${target.padEnd(12)} ${met ? "met" : "MISSED"}`,
    );
  }
}
