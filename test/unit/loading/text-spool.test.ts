import { readdir, readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { spoolText } from "../../../src/loading/worker/text-spool.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();

it("whoever leaves early does not wait for a source that gives no more, and no file stays", async () => {
  await using folder = await temporaryFolder();
  async function* stalling() {
    for (let row = 0; row < 5; row++) yield Buffer.from(`${row},a\n`);
    await new Promise(() => undefined);
  }
  const options = { directory: folder.path, signal, maxFileBytes: 4, name: "spool" };
  const reading = async () => {
    for await (const file of spoolText(stalling(), options)) {
      await using _ = file;
      if ((await readFile(file.path, "utf8")).startsWith("4")) throw new Error("the engine refuses it");
    }
  };
  await expect(reading()).rejects.toThrow("the engine refuses it");
  expect(await readdir(folder.path)).toEqual([]);
});

it("a source that is left early is told so", async () => {
  await using folder = await temporaryFolder();
  let told = false;
  async function* rows() {
    try {
      for (;;) yield Buffer.from("1,a\n");
    } finally {
      told = true;
    }
  }
  const options = { directory: folder.path, signal, maxFileBytes: 4, name: "spool" };
  for await (const file of spoolText(rows(), options)) {
    await using _ = file;
    break;
  }
  await expect.poll(() => told).toBe(true);
  expect(await readdir(folder.path)).toEqual([]);
});
