import { execFile, spawnSync } from "node:child_process";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleClient, type ClientCommand, startClient } from "../helpers/client-process.ts";
import { driversOf, eventually, killDrivers } from "../helpers/driver-processes.ts";
import { openedScene } from "../helpers/opened-scene.ts";
import { makeUsers } from "../helpers/os-users.ts";
import { driverProgram } from "../helpers/profile.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const run = promisify(execFile);

// A mount namespace of its own: the small disk goes with its last process.
const unshare = ["unshare", ...(process.getuid?.() === 0 ? ["--mount"] : ["--mount", "--map-root-user"])];
const mount = 'mount -t tmpfs -o size=64m,mode=755 tmpfs "$1"';
const mayMount = spawnSync(unshare[0] ?? "", [...unshare.slice(1), "sh", "-c", mount, "sh", "/mnt"]).status === 0;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let program: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  program = await bundleClient(folder.path);
  await chmod(folder.path, 0o755);
});

afterAll(() => folder[Symbol.asyncDispose]());

/** A data directory on a disk of its own, and a client that sees it. `before` prepares the disk, in shell. */
async function onSmallDisk(before: string) {
  const place = await temporaryFolder();
  const wrapper = [...unshare, "sh", "-c", `${mount} && ${before} && shift && exec "$@"`, "sh", place.path];
  const client = await startClient(program, wrapper);
  return {
    client,
    path: place.path,
    /** Runs a script where the client runs. */
    shell: (script: string) =>
      run("nsenter", ["--mount", `--target=${client.pid}`, "sh", "-c", script, "sh", place.path]),
    ensure: {
      do: "ensure",
      timeoutMs: 60_000,
      options: { dataDirectory: place.path, program: driverProgram, lease: false, backoff: { freeFailures: 1_000 } },
    } satisfies ClientCommand,
    [Symbol.asyncDispose]: async () => {
      await killDrivers(place.path);
      await client[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

if (mayMount)
  describe("a disk", () => {
    test("that is full from the beginning keeps no start waiting, and takes one when there is room", async () => {
      await using disk = await onSmallDisk('{ head -c 99999999 /dev/zero > "$1/filler" 2>/dev/null || true; }');
      const refused = await disk.client.tell(disk.ensure);
      expect(refused).toMatchObject({ event: "failed", reason: "DRIVER_START_FAILED" });
      expect(refused).toMatchObject({ message: expect.stringMatching(/ENOSPC|no space|DISK_FULL/i) });
      expect(await driversOf(disk.path)).toEqual([]);
      await disk.shell('rm "$1/filler"');
      expect(await disk.client.tell(disk.ensure)).toMatchObject({ event: "connected" });
      expect(await driversOf(disk.path)).toHaveLength(1);
    });

    test("that fills up beside a driver costs no dataset, and its next start says so or serves", async () => {
      await using disk = await onSmallDisk("true");
      await disk.shell('mkdir "$1/profiles" && echo \'minFreeDisk = "1MB"\' > "$1/profiles/default.toml"');
      expect(await disk.client.tell(disk.ensure)).toMatchObject({ event: "connected" });
      await disk.shell('printf "n\\n1\\n2\\n39\\n" > "$1/numbers.csv"');
      const uri = `${disk.path}/numbers.csv`;
      const ask = { do: "ask", dataset: "numbers", timeoutMs: 30_000 } as const;
      expect(await disk.client.tell({ do: "load", dataset: "numbers", uri, timeoutMs: 30_000 })).toMatchObject({
        event: "loaded",
      });
      await disk.shell('head -c 99999999 /dev/zero > "$1/filler" 2>/dev/null || true');
      expect(await disk.client.tell(ask)).toMatchObject({ sum: 42 });
      expect(await disk.client.tell({ do: "load", dataset: "numbers", uri, timeoutMs: 30_000 })).toMatchObject({
        reason: "DISK_FULL",
      });
      await killDrivers(disk.path);
      const again = await disk.client.tell(disk.ensure);
      expect(["connected", "failed"]).toContain(again?.event);
      if (again?.event === "failed") expect(again.reason).toBe("DRIVER_START_FAILED");
      await disk.shell('rm "$1/filler"');
      expect(await disk.client.tell(disk.ensure)).toMatchObject({ event: "connected" });
      expect(await disk.client.tell(ask)).toMatchObject({ sum: 42 });
      await eventually(async () => (await driversOf(disk.path)).length === 1);
    });

    test("that is mounted read-only is told at once, and a driver that runs there goes on to answer", async () => {
      await using disk = await onSmallDisk("true");
      await disk.shell('mount -o remount,ro "$1"');
      expect(await disk.client.tell(disk.ensure)).toMatchObject({
        event: "failed",
        reason: "DRIVER_START_FAILED",
        message: expect.stringContaining("takes no files"),
      });
      expect(await driversOf(disk.path)).toEqual([]);
      await disk.shell('mount -o remount,rw "$1"');
      expect(await disk.client.tell(disk.ensure)).toMatchObject({ event: "connected" });
    });
  });

test("a directory that a user may only read serves this user a driver, and starts none", async () => {
  await using users = await makeUsers(0);
  await using scene = await openedScene();
  const token = (await readFile(join(scene.dataDirectory, "token"), "utf8")).trim();
  // The token it was given otherwise. Files that a driver puts in place of others meanwhile are not found, and chmod complains.
  const opening = 'chmod -R a+rX "$1" || true; chmod 600 "$1/token"';
  const open = () => run("sh", ["-c", opening, "sh", scene.dataDirectory]);
  await open();
  await using client = await startClient(program, users.stranger.as);
  const ensure = { do: "ensure", options: { ...scene.options, token }, timeoutMs: 60_000 } as const;
  expect(await client.tell(ensure)).toMatchObject({ event: "failed", reason: "DRIVER_START_FAILED" });
  expect(await scene.processes()).toEqual([]);
  await using owner = await scene.ensure();
  await open();
  expect(await client.tell(ensure)).toMatchObject({ event: "connected", instanceId: owner.instanceId });
  expect(await client.tell({ do: "ask", dataset: "before", timeoutMs: 30_000 })).toMatchObject({
    sum: scene.sums.get("before"),
  });
  await scene.check();
});

describe("a port", () => {
  test("that is taken fails the start, and the next one has it when it is free", async () => {
    await using other = await openedScene();
    await using taken = await other.ensure();
    await using scene = await openedScene();
    await scene.configure(`listen = "${taken.address}"`);
    const error = await scene.ensure().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: "DRIVER_START_FAILED", start: { driverReason: "LISTEN_FAILED" } });
    await scene.checkProcesses(0);
    await taken.stop();
    await other.allEnded();
    await scene.check();
    expect((await scene.ensure()).address).toBe(taken.address);
  });
});
