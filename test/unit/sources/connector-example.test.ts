import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connector, kind } from "../../../examples/connector/fixed-width.ts";
import { LoadSession } from "../../../src/loading/worker/load-session.ts";
import { parseOptions } from "../../../src/sources/option-values.ts";
import { packagedConnector } from "../../../src/sources/packaged/packaged-connector.ts";
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
  const [directory, workDirectory] = [await lab.folder(), await lab.folder()];
  const { signal } = new AbortController();
  const statement = async () => ({ [Symbol.dispose]: () => undefined });
  await using session = await packagedConnector(connector, {
    kind: "fixed",
    package: "fixed-width",
    version: "1.0.0",
  }).open({ kind: "fixed", uri, options }, { signal, fileRoots: undefined, workDirectory, statement });
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

test("its options are checked before any file is looked at", async () => {
  expect(thrownBy(() => parseOptions("fixed", kind.options, { width: 3 })).reason).toBe("UNKNOWN_OPTION");
  const files = () => expect.unreachable("it looked at files");
  const context = { signal: new AbortController().signal, workDirectory: lab.path, files, statement: files };
  const source = { kind: "fixed", uri: "/a.fixed", options: { columns: "name=wide" } };
  await expect(connector.open(source, context)).rejects.toMatchObject({ reason: "INVALID_OPTION" });
});
