import { once } from "node:events";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../../src/gen/grpc/health/v1/health_pb.js";
import { runMain, spawnDriver, startDriver, writeProfile } from "../helpers/driver.ts";
import { explain, failure, GrpcClient } from "../helpers/grpc-client.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;

describe("the address file", () => {
  test("says all that a client needs, to its owner only, and goes with the driver", async () => {
    await using driver = await startDriver();
    const file = join(driver.dataDir, "drivers", "default.json");
    const content = JSON.parse(await readFile(file, "utf8"));
    expect(content).toMatchObject({
      formatVersion: 1,
      pid: driver.pid,
      address: driver.address,
      tls: false,
      instanceId: driver.instanceId,
      profile: "default",
      tokenFile: join(driver.dataDir, "token"),
    });
    expect(content.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(content.tokenFile)).mode & 0o777).toBe(0o600);
    expect(await driver.stop()).toEqual({ code: 0, signal: null });
    await expect(stat(file)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("of another driver is left alone by one that stops", async () => {
    await using driver = await startDriver();
    const file = join(driver.dataDir, "drivers", "default.json");
    const other = JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), instanceId: "another" });
    await writeFile(file, other);
    await driver.stop();
    expect(await readFile(file, "utf8")).toBe(other);
  });

  test("of a driver that was killed does not keep the next one from starting", async () => {
    await using first = await startDriver();
    await first.stop("SIGKILL");
    await using second = await startDriver({ dataDir: first.dataDir });
    expect(second.instanceId).not.toBe(first.instanceId);
    expect(second.token).toBe(first.token);
  });
});

test("a second driver of the profile is refused while the first one lives, of another profile it is not", async () => {
  await using driver = await startDriver();
  const { code, stderr } = await runMain(["serve", "--data-dir", driver.dataDir]);
  expect(stderr).toContain("drover: ALREADY_RUNNING: another driver of the profile");
  expect(stderr).toContain(`names driver ${driver.instanceId} (pid ${driver.pid}) at ${driver.address}`);
  expect(code).toBe(1);
  await using other = await startDriver({ dataDir: driver.dataDir, profile: "other", config: "" });
  expect(other.address).not.toBe(driver.address);
});

test("a port in use is an error", async () => {
  await using driver = await startDriver();
  await writeProfile(driver.dataDir, "other", "");
  const place = ["--data-dir", driver.dataDir, "--profile", "other", "--listen", driver.address];
  const { code, stderr } = await runMain(["serve", ...place]);
  expect(stderr).toContain(`drover: LISTEN_FAILED: can't listen on ${driver.address}`);
  expect(code).toBe(1);
});

test("what a driver makes is its owner's alone, also in a data directory that others may enter", async () => {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o755);
  await using driver = await startDriver({ dataDir: folder.path });
  using client = new GrpcClient(driver.address, { token: driver.token });
  const uri = join(folder.path, "numbers.csv");
  await writeFile(uri, "n\n1\n2\n");
  const { response } = await client.unary(DatasetService.method.loadDataset, { dataset: "n", source: { uri } });
  await client.stream(DatasetService.method.watchLoad, { operationId: response.operation?.id ?? "" }).toArray();
  const names = (await readdir(folder.path)).filter((name) => name !== "numbers.csv");
  expect(names).toEqual(expect.arrayContaining(["catalog.sqlite", "datasets", "drivers", "instances", "token"]));
  for (const name of names) {
    const { mode } = await stat(join(folder.path, name));
    expect({ name, others: mode & 0o077 }).toEqual({ name, others: 0 });
  }
});

describe("health", () => {
  test("a watcher sees the driver stop, and its stream ends with the reason", async () => {
    await using driver = await startDriver();
    using client = new GrpcClient(driver.address, { token: driver.token });
    const call = client.stream(Health.method.watch, { service: "" });
    const seen: number[] = [];
    const end = (async () => {
      for await (const { status } of call) {
        seen.push(status);
        if (status === SERVING) driver.process.kill("SIGTERM");
      }
    })();
    const error = await failure(end);
    expect(seen).toEqual([SERVING, NOT_SERVING]);
    expect(error).toMatchObject({ code: 14, reason: "DRIVER_STOPPED" });
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });

  test("the deadline ends a stream with its reason", async () => {
    await using driver = await startDriver({ args: ["--log-level", "debug"] });
    using client = new GrpcClient(driver.address, { token: driver.token });
    // The deadline is to pass on the driver, not on the way there.
    await client.unary(Health.method.check, {});
    const log = async () => {
      const call = client.stream(Health.method.watch, { service: "" }, { deadline: Date.now() + 1_000 });
      expect((await failure(call.toArray())).code).toBe(4);
      return driver.log();
    };
    // Where that takes long all the same, the client leaves first.
    await expect.poll(log).toContain('"reason":"DEADLINE_EXCEEDED"');
  });

  test("a client that leaves ends its stream on the driver", async () => {
    await using driver = await startDriver({ args: ["--log-level", "debug"] });
    using client = new GrpcClient(driver.address, { token: driver.token });
    const call = client.stream(Health.method.watch, { service: "" });
    await new Promise((resolve) => call.once("data", resolve));
    call.on("error", (error) => expect(explain(error).code).toBe(1));
    call.cancel();
    await expect.poll(() => driver.log(), { timeout: 20_000 }).toContain('"reason":"CANCELLED"');
  });
});

test("a second signal ends the driver at once, whatever still runs", async () => {
  await using driver = await startDriver({ args: ["--stop-grace", "1h"] });
  using client = new GrpcClient(driver.address, { token: driver.token });
  const sql = "SELECT count(*) FROM range(10000000) a(i), range(10000000) b(i) WHERE a.i > b.i";
  const call = client.stream(QueryService.method.runQuery, { question: { kind: { case: "sql", value: { sql } } } });
  await once(call, "data");
  const broken = failure(call.toArray());
  const metrics = async () => {
    const headers = { authorization: `Bearer ${driver.token}` };
    return (await fetch(`http://${driver.address}/metrics`, { headers })).text();
  };
  await expect.poll(metrics, { timeout: 20_000 }).toContain('drover_engine_active{engine="reader"} 1');
  driver.process.kill("SIGTERM");
  await expect.poll(() => driver.log(), { timeout: 20_000 }).toContain('"message":"draining"');
  driver.process.kill("SIGINT");
  expect(await driver.exited).toEqual({ code: 130, signal: null });
  expect((await broken).code).toBe(14);
  expect(await readdir(join(driver.dataDir, "instances"))).toEqual([]);
});

test("of drivers that start together one serves, and the others say that they are too many", async () => {
  await using first = await startDriver();
  await first.stop();
  const place = ["--data-dir", first.dataDir, "--listen", "127.0.0.1:0"];
  const started = Array.from({ length: 3 }, () => spawnDriver(["serve", ...place]));
  const lost = started.map(async ({ child, exited }) => ({ child, end: await exited }));
  const losers = [await Promise.race(lost)];
  losers.push(await Promise.race(lost.filter((_, index) => started[index]?.child !== losers[0]?.child)));
  expect(losers.map(({ end }) => end.code)).toEqual([1, 1]);
  const winner = started.find(({ child }) => !losers.some((loser) => loser.child === child));
  const logs = started.filter((each) => each !== winner).map(({ log }) => log());
  for (const log of logs) expect(log).toContain("drover: ALREADY_RUNNING: ");
  await expect.poll(() => winner?.log(), { timeout: 20_000 }).toContain('"message":"serving"');
  winner?.child.kill("SIGTERM");
  expect(await winner?.exited).toEqual({ code: 0, signal: null });
});

describe("a start that fails says why", () => {
  test("an unknown command", async () => {
    const { code, stderr } = await runMain(["server"]);
    expect(stderr).toContain("usage: drover serve");
    expect(code).toBe(2);
  });

  test("a wrong setting", async () => {
    const { code, stderr } = await runMain(["serve", "--threads", "none"]);
    expect(stderr).toContain("drover: CONFIG_INVALID: flag --threads: threads: expected a whole number");
    expect(code).toBe(2);
  });

  test("a token that others may read", async () => {
    await using driver = await startDriver();
    await driver.stop();
    const { chmod } = await import("node:fs/promises");
    await chmod(join(driver.dataDir, "token"), 0o644);
    const { code, stderr } = await runMain(["serve", "--data-dir", driver.dataDir]);
    expect(stderr).toContain("drover: DATA_DIRECTORY_UNUSABLE: the token file");
    expect(code).toBe(1);
  });
});

test("config show prints what counts and why", async () => {
  const { stdout, code } = await runMain(["config", "show", "--origins", "--json", "--threads", "3"], {
    DROVER_STOP_GRACE: "2s",
    DROVER_DATA_DIR: "/nowhere",
  });
  expect(code).toBe(0);
  const { settings } = JSON.parse(stdout) as { settings: { setting: string; value: string; origin: string }[] };
  const find = (name: string) => settings.find(({ setting }) => setting === name);
  expect(find("threads")).toEqual({ setting: "threads", value: "3", origin: "flag --threads" });
  expect(find("stopGrace")).toMatchObject({ value: "2s", origin: "environment DROVER_STOP_GRACE" });
  expect(find("dataDir")).toMatchObject({ value: "/nowhere" });
  expect(find("tokenFile")).toMatchObject({ value: "/nowhere/token", origin: "default" });
});

test("a reader of the output may leave early", async () => {
  const { child, log, exited } = spawnDriver(["config", "show"]);
  child.stdout?.destroy();
  expect(await exited).toEqual({ code: 0, signal: null });
  expect(log()).toBe("");
});

test("an idle connection of HTTP/1.1 is closed when the driver stops", async () => {
  await using driver = await startDriver();
  const [host = "", port = ""] = driver.address.split(":");
  const socket = connect({ host, port: Number(port) });
  socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "data");
  driver.process.kill("SIGTERM");
  // A clean end rather than a reset.
  const ended = once(socket, "end");
  expect(await driver.exited).toEqual({ code: 0, signal: null });
  await ended;
});
