import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const program = join(import.meta.dirname, "programs/fill-disk.ts");
const run = promisify(execFile);

// A mount namespace of its own: the small disk goes with the process, whatever happens to it.
const unshare = process.getuid?.() === 0 ? ["--mount"] : ["--mount", "--map-root-user"];
const mount = `mount -t tmpfs -o size=8m tmpfs "$1"`;

/** Whether this machine lets us mount; containers often don't. */
const mayMount = spawnSync("unshare", [...unshare, "sh", "-c", mount, "sh", "/mnt"]).status === 0;

const onFullDisk = async () => {
  await using folder = await temporaryFolder();
  const script = `${mount} && exec "$2" "$3" "$1"`;
  const { stdout } = await run("unshare", [
    ...unshare,
    "sh",
    "-c",
    script,
    "sh",
    folder.path,
    process.execPath,
    program,
  ]);
  expect(JSON.parse(stdout)).toEqual({
    fits: 1,
    tooLarge: "DISK_FULL",
    previousWhole: true,
    staging: 0,
    whenFull: "DISK_FULL",
    whenAlmostFull: "DISK_FULL",
    previousWholeWhenFull: true,
    afterwards: 2,
    deletedWhenFull: true,
    last: 1,
    afterRestart: ["b 1"],
    states: expect.toSatisfy((states: string[]) => !states.includes("running") && !states.includes("pending")),
    damaged: [],
    left: 0,
  });
};

if (mayMount) it("a disk that is full fails the load with DISK_FULL and spares everything else", onFullDisk);

it("a file that may not grow fails the load with DISK_FULL and spares everything else", async () => {
  await using folder = await temporaryFolder();
  const { stdout } = await run("prlimit", ["--fsize=4000000", process.execPath, program, folder.path]);
  expect(JSON.parse(stdout)).toMatchObject({
    fits: 1,
    tooLarge: "DISK_FULL",
    previousWhole: true,
    staging: 0,
    afterRestart: ["b 2"],
    states: ["succeeded", "succeeded", "succeeded", "succeeded", "failed", "succeeded"],
    damaged: [],
    left: 0,
  });
});

it("a file that may not grow fails an upload with DISK_FULL, which keeps what has come", async () => {
  await using folder = await temporaryFolder();
  const uploading = join(import.meta.dirname, "programs/upload-too-much.ts");
  const { stdout } = await run("prlimit", ["--fsize=4000000", process.execPath, uploading, folder.path]);
  const expected = {
    tooMuch: "DISK_FULL",
    finished: false,
    receivedBytes: 4_000_000,
    keptRight: true,
    small: true,
    left: 1,
  };
  expect(JSON.parse(stdout)).toEqual(expected);
});
