import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("a file that can't be written to its end says why and leaves nothing, also while no bytes come", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-test-"));
  try {
    const program = `
      import { setTimeout } from "node:timers/promises";
      import { writeWhole } from ${JSON.stringify(join(import.meta.dirname, "../src/export-file.ts"))};
      async function* bytes() {
        yield Buffer.alloc(1500);
        await setTimeout(100);
        yield Buffer.alloc(10);
        await setTimeout(100);
      }
      const told = await writeWhole(${JSON.stringify(join(folder, "all.csv"))}, bytes()).catch(({ code }) => code);
      console.log(told);
    `;
    const node = ["--input-type=module", "--conditions=drover-source", "-e", program];
    const { stdout } = await promisify(execFile)("prlimit", ["--fsize=1000", process.execPath, ...node]);
    expect(stdout.trim()).toBe("EFBIG");
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
