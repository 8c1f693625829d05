import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import {
  connect,
  type Drover,
  DroverError,
  type EnsureDriverOptions,
  type EnsureEvent,
  ensureDriver,
  listDrivers,
  type StartFailure,
} from "../../clients/node/src/index.ts";
import { commandFile, runCli } from "../helpers/cli.ts";
import { startDriver } from "../helpers/driver.ts";
import { killDrivers } from "../helpers/driver-processes.ts";
import { eventually, type TestProfile, testProfile, writeProgram } from "../helpers/profile.ts";

// Several starts of drivers one after the other.
vi.setConfig({ testTimeout: 240_000 });

/** What happened on the way, beside the driver. */
async function ensured(profile: TestProfile, more: EnsureDriverOptions = {}) {
  const events: EnsureEvent[] = [];
  const drover = await ensureDriver({ ...profile.options, onEvent: (event) => events.push(event), ...more });
  return { drover, events, types: events.map(({ type }) => type) };
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

async function startFailure(promise: Promise<unknown>): Promise<StartFailure> {
  const { reason, start } = await failure(promise);
  expect(reason).toBe("DRIVER_START_FAILED");
  expect(start).toBeDefined();
  return start as StartFailure;
}

async function instanceOf(drover: Drover): Promise<string> {
  return (await drover.driver()).instanceId;
}

describe("a driver is found or started", () => {
  test("nothing running: it is started, and the steps are told", async () => {
    await using profile = await testProfile();
    const { drover, events, types } = await ensured(profile);
    await using _ = drover;
    expect(types).toEqual(["starting", "phase", "phase", "phase", "phase", "connected"]);
    expect(events.flatMap((event) => (event.type === "phase" ? [event.phase] : []))).toEqual([
      ...["configuration", "catalog", "engine", "serving"],
    ]);
    const info = await drover.driver();
    expect(info).toMatchObject({ state: "serving", profile: "default" });
    const starting = events[0] as Extract<EnsureEvent, { type: "starting" }>;
    expect(info).toMatchObject({ launchId: starting.launchId, logFile: starting.logFile });
    expect(await readFile(starting.logFile, "utf8")).toContain('"message":"serving"');
    expect(events.at(-1)).toMatchObject({ started: true, differs: "", instanceId: info.instanceId });
  });

  test("a running one is joined, and its process is left alone", async () => {
    await using profile = await testProfile();
    await using first = (await ensured(profile)).drover;
    const { drover, types } = await ensured(profile);
    await using _ = drover;
    expect(types).toEqual(["connected"]);
    expect(await instanceOf(drover)).toBe(await instanceOf(first));
    expect(await profile.processes()).toHaveLength(1);
  });

  test("twenty calls at once in one process get one driver", async () => {
    await using profile = await testProfile();
    const drovers = await Promise.all(Array.from({ length: 20 }, () => ensureDriver(profile.options)));
    const instances = await Promise.all(drovers.map(instanceOf));
    expect(new Set(instances).size).toBe(1);
    expect(await profile.processes()).toHaveLength(1);
    await Promise.all(drovers.map((drover) => drover.close()));
  });

  test("a driver that somebody serves by hand is joined, too", async () => {
    await using served = await startDriver();
    await using drover = await ensureDriver({ dataDirectory: served.dataDir, lease: false });
    expect(await instanceOf(drover)).toBe(served.instanceId);
  });

  test("with start: false nothing is started", async () => {
    await using profile = await testProfile();
    const error = await failure(ensureDriver({ ...profile.options, start: false }));
    expect(error).toMatchObject({ reason: "DRIVER_NOT_FOUND", retryable: true });
    expect(await profile.processes()).toEqual([]);
  });

  test("settings of the client's environment do not reach the driver", async () => {
    await using profile = await testProfile();
    process.env.DROVER_THREADS = "7";
    const { no_proxy: before } = process.env;
    process.env.no_proxy = "warehouse.internal";
    try {
      await using drover = await ensureDriver(profile.options);
      expect((await drover.driver()).threads).not.toBe(7);
    } finally {
      delete process.env.DROVER_THREADS;
      if (before === undefined) delete process.env.no_proxy;
      else process.env.no_proxy = before;
    }
    const [pid] = await profile.processes();
    const environment = await readFile(`/proc/${pid}/environ`, "utf8");
    expect(environment).not.toContain("DROVER_");
    // But how the network is reached does.
    expect(environment).toContain("no_proxy=warehouse.internal");
    const token = (await readFile(join(profile.dataDirectory, "token"), "utf8")).trim();
    expect(await readFile(`/proc/${pid}/cmdline`, "utf8")).not.toContain(token);
  });

  test("profiles have drivers of their own over one data directory", async () => {
    await using profile = await testProfile();
    await profile.configure("threads = 1", "etl");
    await using standard = await ensureDriver(profile.options);
    await using etl = await ensureDriver({ ...profile.options, profile: "etl" });
    expect((await etl.driver()).threads).toBe(1);
    expect(await instanceOf(etl)).not.toBe(await instanceOf(standard));
    const listed = await listDrivers({ dataDirectory: profile.dataDirectory });
    expect(listed.map(({ file, current, info }) => [file.profile, current, info?.state])).toEqual([
      ["default", true, "serving"],
      ["etl", true, "serving"],
    ]);
  });
});

describe("an address file that leads nowhere does not lead astray", () => {
  const contents: readonly [what: string, content: string][] = [
    ["that was cut", '{"formatVersion": 1, "pid'],
    ["of garbage", "\u0000\u0001 no JSON"],
    ["that is empty", ""],
    ["that lacks fields", '{"formatVersion": 1, "address": "127.0.0.1:1"}'],
  ];

  test.each(contents)("a file %s is replaced by the next driver's", async (_what, content) => {
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    await killDrivers(profile.dataDirectory);
    await writeFile(join(profile.dataDirectory, "drivers", "default.json"), content);
    await using drover = await ensureDriver(profile.options);
    expect((await profile.address())?.instanceId).toBe(await instanceOf(drover));
  });

  test("a stale file whose pid another process has is passed over, and that process lives", async () => {
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    const before = await profile.address();
    await killDrivers(profile.dataDirectory);
    const stale = { ...before, pid: process.pid };
    await writeFile(join(profile.dataDirectory, "drivers", "default.json"), JSON.stringify(stale));
    await using drover = await ensureDriver({ ...profile.options, unresponsiveAfterMs: 1 });
    expect(await instanceOf(drover)).not.toBe(before?.instanceId);
  });

  test("what listens at a stale address and is no driver gets no token", async () => {
    const seen: string[] = [];
    const raw = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        seen.push(bytes.toString("latin1"));
        socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    const before = await profile.address();
    await killDrivers(profile.dataDirectory);
    const address = `127.0.0.1:${(raw.address() as AddressInfo).port}`;
    // Of another boot: nothing can be said of its pid.
    const forged = { ...before, address, bootId: "elsewhere" };
    await writeFile(join(profile.dataDirectory, "drivers", "default.json"), JSON.stringify(forged));
    await using drover = await ensureDriver(profile.options);
    expect((await drover.driver()).state).toBe("serving");
    const token = (await readFile(join(profile.dataDirectory, "token"), "utf8")).trim();
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.join("\n")).not.toContain(token);
    raw.close();
  });

  test("a driver that passes another one's proof on is found out", async () => {
    await using real = await startDriver();
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    const before = await profile.address();
    await killDrivers(profile.dataDirectory);
    // The real driver knows another token; it can't prove that it knows this one.
    const error = await failure(
      connect({ address: real.address, tokenFile: join(profile.dataDirectory, "token") }, { timeoutMs: 30_000 }),
    );
    expect(error.reason).toBe("DRIVER_NOT_PROVEN");
    const forged = { ...before, address: real.address, bootId: "elsewhere" };
    await writeFile(join(profile.dataDirectory, "drivers", "default.json"), JSON.stringify(forged));
    await using drover = await ensureDriver(profile.options);
    expect(await instanceOf(drover)).not.toBe(real.instanceId);
  });

  test("a driver that hangs is killed, and another one started", async () => {
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    const [pid = 0] = await profile.processes();
    process.kill(pid, "SIGSTOP");
    const { drover, events } = await ensured(profile, { unresponsiveAfterMs: 1_000 });
    await using _ = drover;
    expect(events).toContainEqual(expect.objectContaining({ type: "killed", pid }));
    expect(await profile.processes()).not.toContain(pid);
  });

  test("a driver that hangs on another boot is left alone", async () => {
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    const [pid = 0] = await profile.processes();
    const file = join(profile.dataDirectory, "drivers", "default.json");
    await writeFile(file, JSON.stringify({ ...(await profile.address()), bootId: "elsewhere" }));
    process.kill(pid, "SIGSTOP");
    const error = await failure(ensureDriver({ ...profile.options, unresponsiveAfterMs: 1_000 }));
    expect(error.reason).toBe("DRIVER_UNRESPONSIVE");
    // The start that lost against it may still be on its way out.
    await eventually(async () => (await profile.processes()).length === 1);
    expect(await profile.processes()).toEqual([pid]);
    process.kill(pid, "SIGCONT");
  });
});

describe("what others may have put into the data directory", () => {
  test("a pipe in place of a token, a profile or the starts' record is not waited for", async () => {
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    const address = await profile.address();
    const pipe = join(profile.dataDirectory, "pipe");
    await promisify(execFile)("mkfifo", [pipe]);
    for (const name of ["starts.json", "running"]) await rm(join(profile.dataDirectory, "drivers", `default.${name}`));
    await symlink(pipe, join(profile.dataDirectory, "drivers", "default.starts.json"));
    await mkdir(join(profile.dataDirectory, "profiles"));
    await symlink(pipe, join(profile.dataDirectory, "profiles", "default.toml"));
    await using joined = await ensureDriver(profile.options);
    expect(await instanceOf(joined)).toBe(address?.instanceId);
    const error = await failure(ensureDriver({ ...profile.options, tokenFile: pipe }, { timeoutMs: 30_000 }));
    expect([error.reason, error.message]).toEqual(["UNREADABLE_TOKEN", expect.stringContaining("is no regular file")]);
    const endless = await failure(ensureDriver({ ...profile.options, tokenFile: "/dev/zero" }, { timeoutMs: 30_000 }));
    expect(endless.reason).toBe("UNREADABLE_TOKEN");
  });

  test("a file that others may write names no process that is killed for its silence", async () => {
    await using profile = await testProfile();
    await (await ensureDriver(profile.options)).close();
    const address = await profile.address();
    await killDrivers(profile.dataDirectory);
    const victim = spawn("sleep", ["600"]);
    const silent = createTcpServer((socket) => socket.on("error", () => {}));
    try {
      await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
      const stat = await readFile(`/proc/${victim.pid}/stat`, "utf8");
      const startTicks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
      const forged = {
        ...address,
        pid: victim.pid,
        startTicks,
        address: `127.0.0.1:${(silent.address() as AddressInfo).port}`,
      };
      const file = join(profile.dataDirectory, "drivers", "default.json");
      await writeFile(file, JSON.stringify(forged));
      await chmod(file, 0o666);
      const { drover, events } = await ensured(profile, { unresponsiveAfterMs: 1 });
      await using _ = drover;
      expect(events).not.toContainEqual(expect.objectContaining({ type: "killed", pid: victim.pid }));
      expect([victim.exitCode, victim.signalCode]).toEqual([null, null]);
    } finally {
      victim.kill();
      silent.close();
    }
  });

  test("another profile's address file leads to no driver of that profile", async () => {
    await using profile = await testProfile();
    await profile.configure("threads = 1", "other");
    await using other = await ensureDriver({ ...profile.options, profile: "other" });
    const drivers = join(profile.dataDirectory, "drivers");
    await writeFile(join(drivers, "default.json"), await readFile(join(drivers, "other.json")));
    await using drover = await ensureDriver(profile.options);
    expect((await drover.driver()).profile).toBe("default");
    expect((await other.driver()).state).toBe("serving");
  });

  test("a link in place of a draft is not followed", async () => {
    await using profile = await testProfile();
    const precious = join(profile.dataDirectory, "precious");
    await writeFile(precious, "precious");
    await mkdir(join(profile.dataDirectory, "drivers"));
    await symlink(precious, join(profile.dataDirectory, "drivers", `default.starts.json.${process.pid}.tmp`));
    await (await ensureDriver(profile.options)).close();
    expect(await readFile(precious, "utf8")).toBe("precious");
  });
});

describe("a wrong option", () => {
  test.each([
    ["an empty folder", { dataDirectory: "" }, {}, "dataDirectory"],
    ["a lease without a name", { lease: { name: "" } }, {}, "lease.name"],
    ["a time that is none", {}, { timeoutMs: Number.NaN }, "timeoutMs"],
    ["a time as a text", {}, { timeoutMs: "5000" as unknown as number }, "timeoutMs"],
    ["a negative limit of a phase", { phaseTimeoutsMs: { engine: -1 } }, {}, "engine"],
  ] as const)("%s is refused before anything is looked for", async (_what, options, call, name) => {
    await using profile = await testProfile();
    const error = await failure(ensureDriver({ ...profile.options, ...options }, call));
    expect([error.reason, error.metadata.name]).toEqual(["INVALID_ARGUMENT", name]);
    expect(await readdir(profile.dataDirectory)).toEqual([]);
  });
});

describe("whoever listens to the steps", () => {
  test("and throws gets that error, and the driver that is on its way comes up for the next call", async () => {
    await using profile = await testProfile();
    const bug = new Error("a bug of the listener");
    const onEvent = ({ type }: EnsureEvent) => {
      if (type === "phase") throw bug;
    };
    const other = ensureDriver(profile.options);
    const thrown = ensureDriver({ ...profile.options, onEvent });
    const [one, two] = await Promise.allSettled([thrown, other]);
    expect(two.status).toBe("fulfilled");
    if (two.status === "fulfilled") await two.value.close();
    if (one.status === "fulfilled") await one.value.close();
    await using alone = await testProfile();
    expect(await ensureDriver({ ...alone.options, onEvent }).catch((error: unknown) => error)).toBe(bug);
    await using next = await ensureDriver(alone.options);
    expect(await alone.processes()).toHaveLength(1);
    expect((await next.driver()).state).toBe("serving");
  });

  test("and who runs out of time, is told how far the start came", async () => {
    await using profile = await testProfile();
    const program = await writeProgram(profile.dataDirectory, "slow", "sleep 60");
    const error = await failure(ensureDriver({ ...profile.options, program }, { timeoutMs: 3_000 }));
    expect(error.message).toBe("the deadline passed before there was a driver: a driver is being started");
  });

  test("is told nothing more once the call has ended", async () => {
    await using profile = await testProfile();
    const leave = new AbortController();
    const types: string[] = [];
    const onEvent = ({ type }: EnsureEvent) => {
      types.push(type);
      if (type === "starting") leave.abort();
    };
    const error = await failure(ensureDriver({ ...profile.options, onEvent }, { signal: leave.signal }));
    expect(error.reason).toBe("CANCELLED");
    const told = [...types];
    await eventually(async () => (await profile.address()) !== undefined);
    expect(types).toEqual(told);
  });
});

describe("a start that fails says why", () => {
  test("an error in the profile is told by the driver's own reason", async () => {
    await using profile = await testProfile();
    await profile.configure("thread = 2");
    const start = await startFailure(ensureDriver(profile.options));
    expect(start).toMatchObject({
      reason: "REFUSED",
      driverReason: "CONFIG_INVALID",
      phase: "configuration",
      exitCode: 2,
    });
    expect(start.message).toContain('unknown setting "thread"');
    expect(start.lastLines.join("\n")).toContain("CONFIG_INVALID");
  });

  test("a port that is taken is told", async () => {
    await using taken = await startDriver();
    await using profile = await testProfile();
    await profile.configure(`listen = "${taken.address}"`);
    const start = await startFailure(ensureDriver(profile.options));
    expect(start).toMatchObject({ reason: "REFUSED", driverReason: "LISTEN_FAILED", phase: "serving" });
  });

  test("a program that ends without a word leaves its exit code, exception and last lines", async () => {
    await using profile = await testProfile();
    const script = "echo first >&2; echo 'TypeError: x is no function' >&2; echo '    at main (a.js:1:1)' >&2; exit 7";
    const program = await writeProgram(profile.dataDirectory, "broken", script);
    const start = await startFailure(ensureDriver({ ...profile.options, program }));
    expect(start).toMatchObject({ reason: "EXITED", exitCode: 7, signal: null, phase: "process" });
    expect(start.firstException).toBe("TypeError: x is no function\n    at main (a.js:1:1)");
    expect(start.lastLines[0]).toBe("first");
    expect(await readFile(start.logFile, "utf8")).toContain("first");
  });

  test("a program that is killed leaves its signal", async () => {
    await using profile = await testProfile();
    const program = await writeProgram(profile.dataDirectory, "dying", "kill -9 $$");
    expect(await startFailure(ensureDriver({ ...profile.options, program }))).toMatchObject({
      ...{ reason: "EXITED", exitCode: null, signal: "SIGKILL" },
    });
  });

  test("a program that is not there is told", async () => {
    await using profile = await testProfile();
    const program = join(profile.dataDirectory, "nowhere");
    expect(await startFailure(ensureDriver({ ...profile.options, program }))).toMatchObject({ reason: "SPAWN_FAILED" });
  });

  test("a start that hangs is killed with what it has started", async () => {
    await using profile = await testProfile();
    const pids = join(profile.dataDirectory, "pids");
    const program = await writeProgram(profile.dataDirectory, "hanging", `sleep 1000 & echo $$ $! > '${pids}'; wait`);
    const start = await startFailure(
      ensureDriver({ ...profile.options, program, phaseTimeoutsMs: { process: 3_000 } }),
    );
    expect(start).toMatchObject({ reason: "PHASE_TIMEOUT", phase: "process", signal: "SIGKILL" });
    for (const pid of (await readFile(pids, "utf8")).trim().split(" ")) {
      await expect.poll(() => readFile(`/proc/${pid}/stat`, "utf8").catch(() => ") Z")).toMatch(/\) Z/);
    }
  });

  test("a start that writes a hundred megabytes of log is ended, and its report stays small", async () => {
    await using profile = await testProfile();
    const program = await writeProgram(
      profile.dataDirectory,
      "chatty",
      "head -c 104857600 /dev/zero | tr '\\0' x >&2; sleep 1000",
    );
    const options = { ...profile.options, program, phaseTimeoutsMs: { process: 60_000 } };
    const start = await startFailure(ensureDriver(options));
    expect(start.reason).toBe("LOG_OVERFLOW");
    expect(JSON.stringify(start).length).toBeLessThan(64 * 1024);
  });

  // Waits of so long are not over on any machine before somebody asks again.
  const backoff = { freeFailures: 1, firstDelayMs: 3_600_000, maxDelayMs: 3_600_000, healthyAfterMs: 60_000 };

  test("starts that fail again and again wait, say so, and are forgiven after a healthy one", async () => {
    await using profile = await testProfile();
    const options = { ...profile.options, backoff };
    const program = await writeProgram(profile.dataDirectory, "broken", "exit 1");
    for (const _ of [1, 2])
      expect((await failure(ensureDriver({ ...options, program }))).reason).toBe("DRIVER_START_FAILED");
    const events: EnsureEvent[] = [];
    const looping = await failure(
      ensureDriver({ ...options, onEvent: (event) => events.push(event) }, { timeoutMs: 30_000 }),
    );
    expect(looping).toMatchObject({ reason: "DRIVER_CRASH_LOOP", metadata: { failures: "2" } });
    expect(looping.message).toContain("EXITED");
    expect(events).toEqual([expect.objectContaining({ type: "backoff", failures: 2 })]);
    await using drover = await ensureDriver({ ...options, backoff: { ...backoff, firstDelayMs: 1 } });
    expect((await drover.driver()).state).toBe("serving");
    await drover.stop();
    await eventually(async () => (await profile.processes()).length === 0);
    await using again = await ensureDriver(options);
    expect((await again.driver()).state).toBe("serving");
  });

  test("whoever has mended the profile after failures is not made to wait", async () => {
    await using profile = await testProfile();
    const options = { ...profile.options, backoff };
    await profile.configure("thread = 2");
    for (const _ of [1, 2]) expect((await failure(ensureDriver(options))).reason).toBe("DRIVER_START_FAILED");
    expect((await failure(ensureDriver(options, { timeoutMs: 30_000 }))).reason).toBe("DRIVER_CRASH_LOOP");
    await profile.configure("threads = 2");
    await using drover = await ensureDriver(options);
    expect((await drover.driver()).state).toBe("serving");
  });

  test("logs of earlier starts do not pile up", async () => {
    await using profile = await testProfile();
    const program = await writeProgram(profile.dataDirectory, "broken", "exit 1");
    for (let start = 0; start < 13; start++) await failure(ensureDriver({ ...profile.options, program }));
    expect(await readdir(join(profile.dataDirectory, "logs", "default"))).toHaveLength(10);
  });
});

describe("a driver that does not fit is replaced", () => {
  test("a changed profile: new calls go to the new one, and the old one ends", async () => {
    await using profile = await testProfile();
    await using old = await ensureDriver(profile.options);
    const before = await instanceOf(old);
    await profile.configure("threads = 1");
    const [listed] = await listDrivers({ dataDirectory: profile.dataDirectory });
    expect(listed?.fit).toMatchObject({ replaces: true, why: "the profile `default` has changed since it started" });
    const { drover, events } = await ensured(profile);
    await using _ = drover;
    expect((await drover.driver()).threads).toBe(1);
    expect(events).toContainEqual(expect.objectContaining({ type: "starting", replaces: before }));
    // The other client follows without being told.
    await eventually(async () => (await instanceOf(old)) !== before);
    expect(await instanceOf(old)).toBe(await instanceOf(drover));
    await eventually(async () => (await profile.processes()).length === 1);
  });

  test("a successor that can't start leaves the old one where it is", async () => {
    await using profile = await testProfile();
    await using old = await ensureDriver(profile.options);
    await profile.configure("thread = 1");
    const { drover, events } = await ensured(profile);
    await using _ = drover;
    expect(await instanceOf(drover)).toBe(await instanceOf(old));
    expect(events).toContainEqual(expect.objectContaining({ type: "failed" }));
    expect(events.at(-1)).toMatchObject({ type: "connected", differs: expect.stringContaining("has changed") });
    const whyOf = async () => (await listDrivers({ dataDirectory: profile.dataDirectory }))[0]?.fit?.why;
    expect(await whyOf()).toMatch(/has changed since it started; its successor did not start: CONFIG_INVALID: /);
    await profile.configure("threads = 1");
    expect(await whyOf()).toMatch(/has changed since it started$/);
  });

  test("an old and a new version join the newer one, and nobody goes back", async () => {
    await using profile = await testProfile();
    const older = await fakeVersion(profile, "0.0.9");
    await using first = await ensureDriver({ ...profile.options, program: older });
    const before = await instanceOf(first);
    // The program of version 0.0.9 is the same one, so what runs says that it is newer than was asked for.
    const { events } = await ensured(profile, { program: older });
    expect(events.at(-1)).toMatchObject({ differs: expect.stringContaining("(newer)"), instanceId: before });
    expect(await profile.processes()).toHaveLength(1);
  });
});

/** A command whose package says another version than its driver does. */
async function fakeVersion(profile: TestProfile, version: string): Promise<string> {
  const folder = join(profile.dataDirectory, "older");
  await promisify(execFile)("mkdir", ["-p", folder]);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "@drover/driver", version }));
  return writeProgram(folder, "driver", `exec '${String(profile.options.program)}' "$@"`);
}

describe("an address outright", () => {
  test("is tried until a driver is there, and nothing is started", async () => {
    await using driver = await startDriver();
    const connected = ensureDriver({ address: driver.address, token: driver.token, lease: false });
    await using drover = await connected;
    expect(await instanceOf(drover)).toBe(driver.instanceId);
  });

  test("where nobody listens ends with one clear reason", async () => {
    const error = await failure(ensureDriver({ address: "127.0.0.1:1", token: "x" }, { timeoutMs: 3_000 }));
    expect(error.reason).toBe("UNREACHABLE");
    expect(error.message).toContain("127.0.0.1:1");
  });

  test("that the caller stops waiting for is the caller's cancel, not the address's fault", async () => {
    const signal = AbortSignal.timeout(300);
    const leave = new AbortController();
    signal.addEventListener("abort", () => leave.abort());
    const error = await failure(ensureDriver({ address: "127.0.0.1:1", token: "x" }, { signal: leave.signal }));
    expect(error.reason).toBe("CANCELLED");
  });
});

describe("other languages", () => {
  test("Python runs `drover ensure --json` and asks by JSON", async () => {
    await using profile = await testProfile();
    const csv = join(profile.dataDirectory, "people.csv");
    await writeFile(csv, "name,age\nAda,36\nGrace,85\n");
    const env = { DROVER_DATA_DIR: profile.dataDirectory };
    const loaded = await runCli(["load", "people", csv, "--json"], { env });
    expect(loaded.code).toBe(0);
    const { stdout } = await promisify(execFile)("python3", ["-c", python], {
      env: { PATH: process.env.PATH, NODE: process.execPath, CLI: commandFile, ...env },
    });
    const { found, answer } = JSON.parse(stdout);
    expect(found).toMatchObject({ tls: false, instanceId: (await profile.address())?.instanceId, started: false });
    expect(answer.rows).toEqual([{ values: ["2", 60.5] }]);
    await rm(csv);
  });

  test("the fingerprint is the one that the documentation defines", async () => {
    await using profile = await testProfile();
    const toml = "threads = 1\n";
    await profile.configure(toml);
    await using drover = await ensureDriver(profile.options);
    const { version, fingerprint } = await drover.driver();
    const expected = createHash("sha256").update(`${version}\ndrover.v1\n${toml}`).digest("hex");
    expect(fingerprint).toBe(expected);
    expect((await profile.address())?.fingerprint).toBe(expected);
  });
});

const python = `
import json, os, subprocess, urllib.request
found = json.loads(subprocess.check_output([os.environ["NODE"], os.environ["CLI"], "ensure", "--json"]))
token = open(found["tokenFile"]).read().strip()
question = {"aggregate": {"dataset": "people", "measures": [{"op": "MEASURE_OP_COUNT"}, {"op": "MEASURE_OP_AVG", "column": "age"}]}}
request = urllib.request.Request(
    "http://%s/drover.v1.QueryService/Query" % found["address"],
    data=json.dumps({"question": question}).encode(),
    headers={"Authorization": "Bearer " + token, "Content-Type": "application/json"})
print(json.dumps({"found": found, "answer": json.load(urllib.request.urlopen(request))}))
`;
