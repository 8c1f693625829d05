import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { lstat, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { writeWhole } from "../src/export-file.ts";

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
      const { signal } = new AbortController();
      const told = await writeWhole(${JSON.stringify(join(folder, "all.csv"))}, bytes(), { signal }).catch(({ code }) => code);
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

const running = { signal: new AbortController().signal };

it("a pipe or device is written into, and a link stays where the file behind it is written", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-test-"));
  async function* bytes() {
    yield Buffer.from("whole");
  }
  try {
    const pipe = join(folder, "pipe");
    await promisify(execFile)("mkfifo", [pipe]);
    const [read] = await Promise.all([readFile(pipe, "utf8"), writeWhole(pipe, bytes(), running)]);
    expect(read).toBe("whole");
    expect((await lstat(pipe)).isFIFO()).toBe(true);

    const [file, link] = [join(folder, "file"), join(folder, "link")];
    await writeFile(file, "before");
    await symlink("file", link);
    await writeWhole(link, bytes(), running);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(await readFile(file, "utf8")).toBe("whole");

    await symlink("link-to-new", join(folder, "link-to-link"));
    await symlink("new", join(folder, "link-to-new"));
    await writeWhole(join(folder, "link-to-link"), bytes(), running);
    expect((await lstat(join(folder, "link-to-link"))).isSymbolicLink()).toBe(true);
    expect((await lstat(join(folder, "new"))).isFile()).toBe(true);

    // As `/dev/stdout` where that is a file without a name.
    const removed = join(folder, "removed");
    await using opened = await open(removed, "w+");
    await rm(removed);
    await symlink(`/proc/self/fd/${opened.fd}`, join(folder, "stdout"));
    await writeWhole(join(folder, "stdout"), bytes(), running);
    expect((await lstat(join(folder, "stdout"))).isSymbolicLink()).toBe(true);
    expect(await opened.readFile("utf8")).toBe("whole");

    await expect(writeWhole(`${folder}/missing/../file`, bytes(), running)).rejects.toThrow("can't be written: ENOENT");
    expect((await readdir(folder)).sort()).toEqual([
      "file",
      "link",
      "link-to-link",
      "link-to-new",
      "new",
      "pipe",
      "stdout",
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("a pipe that nobody reads, or nobody reads on, doesn't keep an interrupted command", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-test-"));
  const controller = new AbortController();
  async function* endless() {
    for (;;) yield Buffer.alloc(65_536);
  }
  try {
    const pipe = join(folder, "pipe");
    await promisify(execFile)("mkfifo", [pipe]);
    const written = writeWhole(pipe, endless(), controller);
    controller.abort();
    await expect(written).rejects.toThrow("aborted");

    await using _ = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const stalled = new AbortController();
    let pieces = 0;
    async function* counted() {
      for await (const piece of endless()) {
        pieces++;
        yield piece;
      }
    }
    const writing = writeWhole(pipe, counted(), stalled);
    await expect.poll(() => pieces).toBeGreaterThan(0);
    stalled.abort();
    await expect(writing).rejects.toThrow("aborted");
  } finally {
    await rm(folder, { recursive: true });
  }
});
