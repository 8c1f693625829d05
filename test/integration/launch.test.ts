import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DriverService, DriverState } from "../../src/gen/drover/v1/driver_service_pb.js";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import { runMain, startDriver, writeProfile } from "../helpers/driver.ts";
import { GrpcClient } from "../helpers/grpc-client.ts";
import { type Launch, launchDriver } from "../helpers/launch.ts";
import { freePort } from "../helpers/server-process.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const readJson = async (...path: string[]) => JSON.parse(await readFile(join(...path), "utf8"));

const OWN_CONNECTION = { "grpc.use_local_subchannel_pool": 1 };

async function tokenOf(dataDir: string): Promise<string> {
  return (await readFile(join(dataDir, "token"), "utf8")).trim();
}

describe("a driver that a client starts", () => {
  test("tells its phases in order, then where it serves, and closes the pipe", async () => {
    await using folder = await temporaryFolder();
    await using launch = launchDriver({
      dataDir: folder.path,
      launchId: "one",
      args: ["--log-file", "/nowhere/x.log"],
    });
    const ready = await launch.message("ready");
    expect(launch.messages.map(({ event, phase }) => phase ?? event)).toEqual([
      "configuration",
      "catalog",
      "engine",
      "serving",
      "ready",
    ]);
    expect(new Set(launch.messages.map(({ launchId }) => launchId))).toEqual(new Set(["one"]));
    const content = await readJson(folder.path, "drivers", "default.json");
    expect(content).toMatchObject({
      ...{ formatVersion: 1, profile: "default", apiVersion: "drover.v1", hostname: hostname() },
      ...{ launchId: "one", logFile: "/nowhere/x.log", pid: launch.process.pid },
    });
    const { event: _event, launchId: _launchId, ...said } = ready;
    expect(content).toMatchObject(said);
    await expect(launch.message("anything more")).rejects.toThrow("no message");
    using client = new GrpcClient(String(ready.address), { token: await tokenOf(folder.path) });
    const { response } = await client.unary(DriverService.method.getDriver, {});
    expect(response).toMatchObject({ state: DriverState.SERVING, launchId: "one", logFile: "/nowhere/x.log" });
    expect(JSON.stringify(launch.messages)).not.toContain(await tokenOf(folder.path));
    expect(await launch.stop()).toEqual({ code: 0, signal: null });
  });

  test("can be told from a process that is given its pid later, by what the system says of it", async () => {
    await using driver = await startDriver();
    const content = await readJson(driver.dataDir, "drivers", "default.json");
    const stats = await readFile(`/proc/${driver.pid}/stat`, "utf8");
    expect(content.startTicks).toBe(Number(stats.slice(stats.lastIndexOf(")") + 2).split(" ")[19]));
    expect(content.bootId).toBe((await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim());
    expect(content.pidNamespace).toMatch(/^pid:\[\d+\]$/);
  });

  test("serves although the client has gone", async () => {
    await using folder = await temporaryFolder();
    await using launch = launchDriver({ dataDir: folder.path });
    launch.leave();
    await expect.poll(() => launch.log(), { timeout: 20_000 }).toContain('"message":"serving"');
    expect(await launch.stop()).toEqual({ code: 0, signal: null });
  });

  test("that finds the profile taken has lost the race", async () => {
    await using driver = await startDriver();
    await using launch = launchDriver({ dataDir: driver.dataDir });
    const { message } = await launch.message("lostRace");
    expect(message).toContain(`names driver ${driver.instanceId} (pid ${driver.pid}) at ${driver.address}`);
    expect((await launch.exited).code).toBe(1);
    expect(launch.messages.map(({ event }) => event)).toEqual(["phase", "lostRace"]);
  });

  test.each([
    [["--threads", "none"], "CONFIG_INVALID", "configuration", "expected a whole number"],
    [["--listen", "192.0.2.1:0"], "LISTEN_REFUSED", "serving", "is not loopback"],
    [["--colour", "red"], "USAGE", "configuration", "unknown flag --colour"],
  ])("with %j says why it can't and in which phase", async (args, reason, phase, message) => {
    await using folder = await temporaryFolder();
    await using launch = launchDriver({ dataDir: folder.path, args });
    const failed = await launch.message("failed");
    expect(failed).toMatchObject({ reason, phase, message: expect.stringContaining(message) });
    expect((await launch.exited).code).not.toBe(0);
    expect(existsSync(join(folder.path, "drivers", "default.json"))).toBe(false);
  });

  test("on a data directory that can't be written says so", async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, "instances"), "not a folder");
    await using launch = launchDriver({ dataDir: folder.path });
    const message = expect.stringContaining(join(folder.path, "instances"));
    expect(await launch.message("failed")).toMatchObject({
      reason: "DATA_DIRECTORY_UNUSABLE",
      phase: "catalog",
      message,
    });
  });

  test.each([
    ["--launch-fd", "3", "no open pipe"],
    ["--launch-id", "a b", "expected at most 100 letters"],
    ["--log-file", "log", "expected an absolute path"],
    ["--replaces", "", "needs a value"],
  ])("refuses %s %j", async (name, value, message) => {
    const { code, stderr } = await runMain(["serve", name, value]);
    expect(stderr).toContain("drover: USAGE: ");
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

describe("the mark of a driver that runs", () => {
  test("goes when it ends properly, and stays when it is killed", async () => {
    await using first = await startDriver();
    const mark = join(first.dataDir, "drivers", "default.running");
    expect((await readFile(mark, "utf8")).trim()).toBe(first.instanceId);
    await first.stop();
    expect(existsSync(mark)).toBe(false);
    await using second = await startDriver({ dataDir: first.dataDir });
    await second.stop("SIGKILL");
    expect((await readFile(mark, "utf8")).trim()).toBe(second.instanceId);
  });
});

describe("a driver that replaces another", () => {
  const replace = (driver: { dataDir: string; instanceId: string }, ...args: string[]): Launch =>
    launchDriver({ dataDir: driver.dataDir, args: ["--replaces", driver.instanceId, ...args] });
  const addressOwner = async (dataDir: string) => (await readJson(dataDir, "drivers", "default.json")).instanceId;

  test("opens everything, waits until the other lets go, and serves then", async () => {
    await using old = await startDriver();
    await using launch = replace(old);
    await launch.message("standby");
    expect(await addressOwner(old.dataDir)).toBe(old.instanceId);
    expect(await old.stop()).toEqual({ code: 0, signal: null });
    const { instanceId } = await launch.message("ready");
    expect(await addressOwner(old.dataDir)).toBe(instanceId);
    const mark = await readFile(join(old.dataDir, "drivers", "default.running"), "utf8");
    expect(mark.trim()).toBe(instanceId);
    // The next one may come.
    await using third = replace({ dataDir: old.dataDir, instanceId: String(instanceId) });
    await third.message("standby");
  });

  test("is one at a time", async () => {
    await using old = await startDriver();
    await using first = replace(old);
    await first.message("standby");
    await using second = replace(old);
    expect((await second.message("lostRace")).message).toContain("is about to take over");
    await old.stop("SIGKILL");
    await first.message("ready");
  });

  test("leaves the other alone when its start fails", async () => {
    await using old = await startDriver();
    await using launch = replace(old, "--tls-cert-file", "/nowhere.pem", "--tls-key-file", "/nowhere.key");
    expect(await launch.message("failed")).toMatchObject({ reason: "TLS_INVALID", phase: "serving" });
    expect((await launch.exited).code).toBe(1);
    expect(await addressOwner(old.dataDir)).toBe(old.instanceId);
    await using again = replace(old);
    await again.message("standby");
  });

  test("gets its port where that is always the same, while calls on the other go on", async () => {
    await using folder = await temporaryFolder();
    const port = await freePort();
    const listen = ["--listen", `127.0.0.1:${port}`];
    await using old = launchDriver({ dataDir: folder.path, args: [...listen, "--stop-grace", "10m"] });
    const { instanceId } = await old.message("ready");
    using client = new GrpcClient(`127.0.0.1:${port}`, { token: await tokenOf(folder.path) });
    const sql = "SELECT i, repeat('x', 100) AS text FROM range(300000) r(i)";
    const call = client.stream(QueryService.method.runQuery, { question: { kind: { case: "sql", value: { sql } } } });
    call.pause();
    await once(call, "readable");
    await using next = replace({ dataDir: folder.path, instanceId: String(instanceId) }, ...listen);
    await next.message("standby");
    old.process.kill("SIGTERM");
    expect(await next.message("ready")).toMatchObject({ address: `127.0.0.1:${port}` });
    using later = new GrpcClient(`127.0.0.1:${port}`, { token: await tokenOf(folder.path), options: OWN_CONNECTION });
    const { response } = await later.unary(DriverService.method.getDriver, {});
    expect(response).toMatchObject({ pid: next.process.pid, state: DriverState.SERVING });
    const earlier = await client.unary(DriverService.method.proveIdentity, { nonce: new Uint8Array(32) });
    expect(earlier.response).toMatchObject({ instanceId, address: `127.0.0.1:${port}` });
    expect((await call.toArray()).at(-1)?.event.case).toBe("completed");
    expect(await old.exited).toEqual({ code: 0, signal: null });
  });

  test("ends when it is told to while it waits", async () => {
    await using old = await startDriver();
    await using launch = replace(old);
    await launch.message("standby");
    expect(await launch.stop()).toEqual({ code: 0, signal: null });
    expect(await launch.message("failed")).toMatchObject({ reason: "DRIVER_STOPPED" });
    expect(await addressOwner(old.dataDir)).toBe(old.instanceId);
    expect(await readdir(join(old.dataDir, "instances"))).toHaveLength(2);
  });
});

test("what a driver says of itself stays beside its lock until it ends, and goes with the next start if it was killed", async () => {
  await using first = await startDriver();
  const file = join(first.dataDir, "instances", `${first.instanceId}.json`);
  expect(await readFile(file, "utf8")).toBe(await readFile(join(first.dataDir, "drivers", "default.json"), "utf8"));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await first.stop("SIGKILL");
  expect(existsSync(file)).toBe(true);
  await using second = await startDriver({ dataDir: first.dataDir });
  expect(existsSync(file)).toBe(false);
  await second.stop();
  expect(await readdir(join(first.dataDir, "instances"))).toEqual([]);
});

test("the fingerprint is of the profile's own file, whatever else the driver was told", async () => {
  await using folder = await temporaryFolder();
  await writeProfile(folder.path, "other", "threads = 1\n");
  const config = join(folder.path, "elsewhere.toml");
  await writeFile(config, "threads = 2\n");
  const fingerprint = async (...args: string[]) => {
    await using launch = launchDriver({ dataDir: folder.path, args });
    return (await launch.message("ready")).fingerprint;
  };
  const plain = await fingerprint("--profile", "other");
  expect(await fingerprint("--profile", "other", "--config", config)).toBe(plain);
  expect(await fingerprint()).not.toBe(plain);
});
