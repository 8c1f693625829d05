import { execFile, spawn } from "node:child_process";
import { chmod, mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { DroverError } from "../../clients/node/src/index.ts";
import { bundleClient, startClient } from "../helpers/client-process.ts";
import { copyProgram } from "../helpers/copied-program.ts";
import { eventually, sendSignal } from "../helpers/driver-processes.ts";
import { sumIn } from "../helpers/fault-scene.ts";
import { openedScene } from "../helpers/opened-scene.ts";
import { makeUsers } from "../helpers/os-users.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

/** What is done to the address file. */
const spoilings: Readonly<Record<string, (file: string) => Promise<unknown>>> = {
  removed: (file) => rm(file),
  truncated: (file) => truncate(file, 40),
  emptied: (file) => truncate(file, 0),
  "replaced by one that names nobody": (file) => writeFile(file, JSON.stringify({ formatVersion: 1, instanceId: "x" })),
  "replaced by one of a newer format": (file) => writeFile(file, JSON.stringify({ formatVersion: 2, where: "there" })),
  "replaced by one of gigabytes": (file) => truncate(file, 4 * 2 ** 30),
  "replaced by a pipe": async (file) => {
    await rm(file);
    await promisify(execFile)("mkfifo", [file]);
  },
};

describe("an address file that is", () => {
  // Each waits until the driver looks at its file.
  test.concurrent.for(Object.entries(spoilings))(
    "%s while its driver runs: that one leaves, and the next one is found",
    async ([_what, spoil], { expect }) => {
      await using scene = await openedScene();
      await using before = await scene.ensure();
      await spoil(scene.addressFile);
      await using after = await scene.ensure();
      expect(await sumIn(after, "before")).toBe(scene.sums.get("before"));
      expect(after.instanceId).not.toBe(before.instanceId);
      await scene.check();
      // The first client follows.
      expect(await sumIn(before, "before")).toBe(scene.sums.get("before"));
    },
  );

  test("a folder is told, and no more is needed than to take it away", async () => {
    await using scene = await openedScene();
    await mkdir(`${scene.addressFile}/in the way`, { recursive: true });
    const error = await scene.ensure().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DroverError);
    expect(error).toMatchObject({ reason: "DRIVER_START_FAILED", start: { driverReason: "DATA_DIRECTORY_UNUSABLE" } });
    await scene.checkProcesses(0);
    await rm(scene.addressFile, { recursive: true });
    await scene.check();
  });

  test("closed to its own user is replaced by the next driver's", async () => {
    await using users = await makeUsers(1);
    await using folder = await temporaryFolder();
    await using scene = await openedScene();
    const [user] = users.members;
    if (user === undefined) throw new Error("no user");
    await chmod(folder.path, 0o755);
    const program = await bundleClient(folder.path);
    const driver = await copyProgram(join(folder.path, "driver"));
    const gid = Number((await promisify(execFile)("id", ["-g", user.name])).stdout);
    const uid = Number((await promisify(execFile)("id", ["-u", user.name])).stdout);
    await promisify(execFile)("chown", ["-R", `${uid}:${gid}`, scene.dataDirectory]);
    await using client = await startClient(program, user.as);
    const ensure = { do: "ensure", options: { ...scene.options, program: driver }, timeoutMs: 60_000 } as const;
    expect(await client.tell(ensure)).toMatchObject({ event: "connected" });
    const [pid = 0] = await scene.processes();
    await chmod(scene.addressFile, 0);
    await using next = await startClient(program, user.as);
    expect(await next.tell(ensure)).toMatchObject({ event: "connected" });
    expect(await next.tell({ do: "ask", dataset: "before", timeoutMs: 30_000 })).toMatchObject({
      sum: scene.sums.get("before"),
    });
    await eventually(async () => !(await scene.processes()).includes(pid), "the end of the first driver");
    await scene.checkProcesses(1);
  });
});

test("a driver that hangs, and whose address file is spoiled, keeps the profile from nobody", async () => {
  await using scene = await openedScene();
  await using before = await scene.ensure();
  const pid = await scene.pid();
  sendSignal(pid, "SIGSTOP");
  await writeFile(scene.addressFile, "garbage");
  const { drover, events } = await scene.ensureTold({ unresponsiveAfterMs: 1_000 });
  await using _ = drover;
  expect(events).toContainEqual(expect.objectContaining({ type: "killed", pid }));
  expect(drover.instanceId).not.toBe(before.instanceId);
  await scene.check();
});

describe("a stale address file", () => {
  test("of a driver that was killed leads to the next one at once", async () => {
    await using scene = await openedScene();
    await using before = await scene.ensure();
    sendSignal(await scene.pid(), "SIGKILL");
    await scene.allEnded();
    expect(await readFile(scene.addressFile, "utf8")).toContain(before.instanceId);
    await scene.check();
  });

  test("whose pid another process was given leaves that one alone", async () => {
    await using scene = await openedScene();
    await using before = await scene.ensure();
    sendSignal(await scene.pid(), "SIGKILL");
    await scene.allEnded();
    const stranger = spawn("sleep", ["1000"], { stdio: "ignore" });
    try {
      const stale = JSON.parse(await readFile(scene.addressFile, "utf8"));
      await writeFile(scene.addressFile, JSON.stringify({ ...stale, pid: stranger.pid }));
      await using after = await scene.ensure({ unresponsiveAfterMs: 1 });
      expect(after.instanceId).not.toBe(before.instanceId);
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
      await scene.check();
    } finally {
      stranger.kill("SIGKILL");
    }
  });
});
