import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HandedFiles } from "../../../src/loading/workers/handed-files.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

test("files that can't be lent fail the call and not the end of the lease, so that the worker is given back", async () => {
  await using folder = await temporaryFolder();
  const uri = join(folder.path, "rows.csv");
  await writeFile(uri, "a\n1\n");
  const handed = new HandedFiles(join(folder.path, "missing"), { fileRoots: undefined, reserved: [] });
  const source = { kind: "csv", uri, options: {} };
  const { signal } = new AbortController();
  expect(await handed.inParams({ source }, { signal })).toMatchObject({ source: { handed: { found: { error: {} } } } });
  await handed[Symbol.asyncDispose]();
});
