import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixed, fixedKind } from "../../../examples/connector/fixed-width.ts";
import { LoadSession } from "../../../src/loading/worker/load-session.ts";
import { LIMITS, LoadLab } from "../../helpers/load-engine.ts";
import { thrownBy } from "../../helpers/thrown.ts";

const file = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
let lab: LoadLab;

beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

test("the example of the documentation is the one that is tested, and short", async () => {
  const code = await readFile(file("examples/connector/fixed-width.ts"), "utf8");
  expect(await readFile(file("docs/connectors.md"), "utf8")).toContain(`\`\`\`ts\n${code}\`\`\`\n`);
  const lines = code.split("\n").filter((line) => line !== "" && !line.trimStart().startsWith("/**"));
  expect(lines.length).toBeLessThanOrEqual(60);
});

test("a connector of sixty lines loads files of fixed widths", async () => {
  const uri = join(lab.path, "*.fixed");
  await lab.file("a.fixed", "Ada       1815-12-10\nJosé      1906-09-05\n");
  await lab.file("b.fixed", `${'Grace, "H"1906-12-09\n'.repeat(12_000)}`);
  const options = { columns: "name=10,born=10" };
  fixedKind.check(options);
  const [directory, workDirectory] = [await lab.folder(), await lab.folder()];
  const { signal } = new AbortController();
  const statement = async () => ({ [Symbol.dispose]: () => undefined });
  await using session = await fixed.open(
    { kind: "fixed", uri, options },
    { signal, fileRoots: undefined, workDirectory, statement },
  );
  const listener = { onProgress: () => undefined, onPhase: () => undefined, onWarning: () => undefined };
  const engine = async () => lab.engine;
  const load = new LoadSession({ session, engine, signal, directory, workDirectory, limits: LIMITS, listener });
  const { partitions } = await load.plan(1);
  const parts = [];
  for (const [number, partition] of partitions.entries()) parts.push(await load.read(partition, number));
  await load.requireUnchanged();
  expect(parts.map(({ rows }) => rows)).toEqual([2, 12_000]);
  expect(await lab.values(directory, parts[0] ?? expect.unreachable())).toEqual([
    ["Ada", "1815-12-10"],
    ["José", "1906-09-05"],
  ]);
  expect(await lab.query(`SELECT DISTINCT name, born FROM '${directory}/segment-1-*.parquet'`)).toEqual([
    ['Grace, "H"', "1906-12-09"],
  ]);
});

test("its options are checked before any file is looked at", () => {
  expect(thrownBy(() => fixedKind.check({ columns: "name=wide" })).reason).toBe("INVALID_OPTION");
  expect(thrownBy(() => fixedKind.check({ width: 3 })).reason).toBe("UNKNOWN_OPTION");
});
