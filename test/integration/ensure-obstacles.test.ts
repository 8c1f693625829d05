import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { DriverService } from "../../clients/node/src/gen/drover/v1/driver_service_pb.js";
import {
  type Drover,
  DroverError,
  type EnsureDriverOptions,
  type EnsureEvent,
  ensureDriver,
  listDrivers,
} from "../../clients/node/src/index.ts";
import { FaultPeer } from "../../clients/node/test/fault-peer.ts";
import { eventually } from "../helpers/driver-processes.ts";
import { driverProgram, type TestProfile, testProfile, writeProgram } from "../helpers/profile.ts";

async function ensured(profile: TestProfile, more: EnsureDriverOptions = {}) {
  const events: EnsureEvent[] = [];
  const drover = await ensureDriver({ ...profile.options, onEvent: (event) => events.push(event), ...more });
  return { drover, events, starts: events.filter(({ type }) => type === "starting").length };
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

async function instanceOf(drover: Drover): Promise<string> {
  return (await drover.driver()).instanceId;
}

const addressFile = ({ dataDirectory }: TestProfile) => join(dataDirectory, "drivers", "default.json");

/** An address file as a driver of another boot has left it: nothing can be said of its pid. */
async function leaveAddressFile(profile: TestProfile, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const left = {
    ...{ formatVersion: 1, profile: "default", instanceId: "gone", version: "0.1.0", apiVersion: "drover.v1" },
    ...{ fingerprint: "", address: "127.0.0.1:1", tls: false, tokenFile: join(profile.dataDirectory, "token") },
    ...{ hostname: "here", bootId: "another", pidNamespace: "another", pid: 1, startTicks: 1, startTime: "" },
  };
  await mkdir(join(profile.dataDirectory, "drivers"), { recursive: true, mode: 0o700 });
  await writeFile(addressFile(profile), JSON.stringify({ ...left, ...fields }));
}

describe("what a driver of another boot has left behind does not keep the next one from starting", () => {
  test.each([
    ["an address that is none", { address: "somewhere" }],
    ["a token file that is gone", { tokenFile: "/nowhere/token" }],
    ["a pid that no process can have", { pid: -1 }],
    ["a format of later versions", { formatVersion: 2 }],
  ])("%s", async (_what, fields) => {
    await using profile = await testProfile();
    await leaveAddressFile(profile, fields);
    await using drover = await ensureDriver(profile.options);
    expect((await profile.address())?.instanceId).toBe(await instanceOf(drover));
  });

  test("an address where somebody listens who says nothing", async () => {
    await using profile = await testProfile();
    const silent = createServer((socket) => socket.on("error", () => {}));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    try {
      await leaveAddressFile(profile, { address: `127.0.0.1:${(silent.address() as AddressInfo).port}` });
      await writeFile(join(profile.dataDirectory, "token"), "a-secret-of-24-characters\n", { mode: 0o600 });
      const { drover, events } = await ensured(profile, { unresponsiveAfterMs: 500 });
      await using _ = drover;
      // Process 1, as the file says.
      expect(events).not.toContainEqual(expect.objectContaining({ type: "killed", pid: 1 }));
      expect((await profile.address())?.instanceId).toBe(await instanceOf(drover));
    } finally {
      silent.close();
    }
  });

  test("an address where another service answers in its own way, and never sees the token", async () => {
    await using profile = await testProfile();
    const seen: string[] = [];
    const { proveIdentity, getDriver } = DriverService.method;
    const stranger = new FaultPeer()
      .unary(proveIdentity, () => {
        throw Object.assign(new Error("quota"), { code: status.RESOURCE_EXHAUSTED });
      })
      .unary(getDriver, (_, { metadata }) => {
        seen.push(JSON.stringify(metadata.getMap()));
        return {};
      });
    await using _ = await stranger.listen();
    await leaveAddressFile(profile, { address: stranger.address });
    await writeFile(join(profile.dataDirectory, "token"), "a-secret-of-24-characters\n", { mode: 0o600 });
    const { drover, events } = await ensured(profile);
    await using __ = drover;
    expect(events[0]).toMatchObject({ type: "passedOver", why: expect.stringContaining("is no driver: quota") });
    expect(seen).toEqual([]);
  });

  test("a pipe, or a folder, in the place of the file: what is wrong is told", async () => {
    await using profile = await testProfile();
    await mkdir(join(profile.dataDirectory, "drivers"), { recursive: true, mode: 0o700 });
    await promisify(execFile)("mkfifo", [addressFile(profile)]);
    await (await ensureDriver(profile.options)).stop();
    await eventually(async () => (await profile.processes()).length === 0);
    await mkdir(addressFile(profile));
    const { reason, start } = await failure(ensureDriver(profile.options));
    expect(reason).toBe("DRIVER_START_FAILED");
    expect(start?.message).toContain(addressFile(profile));
  });
});

describe("a driver that lives and can't be used", () => {
  test("with an address file of a later format is left alone, and the reason is told", async () => {
    await using profile = await testProfile();
    await using drover = await ensureDriver(profile.options);
    const later = { ...(await profile.address()), formatVersion: 2 };
    await writeFile(addressFile(profile), JSON.stringify(later));
    const error = await failure(ensureDriver({ ...profile.options, unresponsiveAfterMs: 500 }));
    expect(error.reason).toBe("INCOMPATIBLE_DRIVER");
    expect(error.message).toContain("has format 2");
    expect((await drover.driver()).state).toBe("serving");
  });

  test("since it has another token is left alone, and the reason is told", async () => {
    await using profile = await testProfile();
    await using drover = await ensureDriver(profile.options);
    const error = await failure(ensureDriver({ ...profile.options, token: "another", unresponsiveAfterMs: 500 }));
    expect(error).toMatchObject({ reason: "DRIVER_NOT_PROVEN", retryable: false });
    const { pid } = await drover.driver();
    // The start that lost against it may still be on its way out.
    await expect.poll(() => profile.processes()).toEqual([pid]);
  });
});

describe("a caller who gives up", () => {
  test("can end its process at once, and what it has started goes on", async () => {
    await using profile = await testProfile();
    const pidFile = join(profile.dataDirectory, "pid");
    const program = await writeProgram(profile.dataDirectory, "slow", `echo $$ > '${pidFile}'; exec sleep 1000`);
    const caller = spawn(process.execPath, ["--input-type=module", "--eval", givingUp(profile, program)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [[code], said] = await Promise.all([once(caller, "exit"), caller.stdout.toArray()]);
    await expect.poll(() => readFile(pidFile, "utf8")).toMatch(/\n/);
    const pid = Number(await readFile(pidFile, "utf8"));
    try {
      expect({ code, said: said.join("") }).toEqual({ code: 0, said: "DEADLINE_EXCEEDED\n" });
      // The phase's limit has not passed: that would have killed it.
      expect(process.kill(pid, 0)).toBe(true);
    } finally {
      process.kill(pid, "SIGKILL");
    }
  });

  test("while it replaces a driver leaves the replacement to itself", async () => {
    await using profile = await testProfile();
    await using old = await ensureDriver(profile.options);
    const before = await instanceOf(old);
    await profile.configure("threads = 1");
    const gate = join(profile.dataDirectory, "gate");
    const script = `until [ -e '${gate}' ]; do sleep 0.1; done; exec '${driverProgram}' "$@"`;
    const program = await writeProgram(profile.dataDirectory, "slow", script);
    const options = { ...profile.options, program, phaseTimeoutsMs: { process: 60_000 } };
    const error = await failure(ensureDriver(options, { timeoutMs: 4_000 }));
    expect(error.reason).toBe("DEADLINE_EXCEEDED");
    await writeFile(gate, "");
    await eventually(
      async () => (await profile.address())?.instanceId !== before && (await instanceOf(old)) !== before,
    );
    expect((await old.driver()).threads).toBe(1);
  });
});

function givingUp({ options }: TestProfile, program: string): string {
  const client = resolve(import.meta.dirname, "../../clients/node/src/index.ts");
  return `
    import { ensureDriver } from ${JSON.stringify(client)};
    await ensureDriver(${JSON.stringify({ ...options, program })}, { timeoutMs: 5000 }).catch(({ reason }) => console.log(reason));
  `;
}

describe("a replacement", () => {
  test("that fails again and again is not tried by every caller", async () => {
    await using profile = await testProfile();
    await using old = await ensureDriver(profile.options);
    await profile.configure("thread = 1");
    const backoff = { freeFailures: 2, firstDelayMs: 600_000, maxDelayMs: 600_000 };
    const starts: number[] = [];
    for (let call = 0; call < 5; call++) {
      const told = await ensured(profile, { backoff });
      await using _ = told.drover;
      starts.push(told.starts);
      expect(await instanceOf(told.drover)).toBe(await instanceOf(old));
      expect(told.events.at(-1)).toMatchObject({ differs: expect.stringContaining('unknown setting "thread"') });
    }
    expect(starts).toEqual([1, 1, 1, 0, 0]);
  });

  test("by a program that is older than its files say happens once", async () => {
    await using profile = await testProfile();
    await using old = await ensureDriver(profile.options);
    const before = await instanceOf(old);
    const folder = join(profile.dataDirectory, "newer");
    await mkdir(folder);
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "@drover/driver", version: "99.0.0" }));
    const program = await writeProgram(folder, "driver", `exec '${driverProgram}' "$@"`);
    const { drover, events, starts } = await ensured(profile, { program });
    await using _ = drover;
    expect(starts).toBe(1);
    expect(await instanceOf(drover)).not.toBe(before);
    expect(events.at(-1)).toMatchObject({ started: true, differs: expect.stringContaining("(older)") });
  });
});

test("a driver that says why it can't start, and does not end then, is ended, and its reason told", async () => {
  await using profile = await testProfile();
  const said = `printf '{"launchId":"%s","event":"failed","reason":"LISTEN_FAILED","message":"no port"}\\n' "$2" >&3`;
  const script = `while [ "$1" != --launch-id ]; do shift; done; ${said}; exec sleep 1000`;
  const program = await writeProgram(profile.dataDirectory, "lingering", script);
  const error = await failure(ensureDriver({ ...profile.options, program }));
  expect(error).toMatchObject({
    reason: "DRIVER_START_FAILED",
    start: { reason: "REFUSED", driverReason: "LISTEN_FAILED", signal: "SIGKILL" },
  });
  expect(error.message).toContain("no port");
});

describe("callers in one process", () => {
  test("share a start that fails", async () => {
    await using profile = await testProfile();
    const gate = join(profile.dataDirectory, "gate");
    const script = `echo 'Error: no luck' >&2; until [ -e '${gate}' ]; do sleep 0.1; done; exit 3`;
    const program = await writeProgram(profile.dataDirectory, "broken", script);
    let waiting = 0;
    const onEvent = ({ type }: EnsureEvent) => {
      if (type === "starting" || type === "waiting") waiting += 1;
    };
    const options = { ...profile.options, program, onEvent, phaseTimeoutsMs: { process: 60_000 } };
    const failures = Array.from({ length: 20 }, () => failure(ensureDriver(options)));
    await expect.poll(() => waiting).toBe(20);
    await writeFile(gate, "");
    const errors = await Promise.all(failures);
    expect(new Set(errors.map(({ start }) => start?.launchId)).size).toBe(1);
    expect(errors[0]?.message).toContain("it ended with exit code 3 without a word; its log says: Error: no luck");
    expect(await readdir(join(profile.dataDirectory, "logs", "default"))).toHaveLength(1);
  });
});

describe("the driver's program", () => {
  test("may be named by a path from the caller's folder", async () => {
    await using profile = await testProfile();
    const { drover, events } = await ensured(profile, { program: relative(process.cwd(), driverProgram) });
    await using _ = drover;
    expect(events[0]).toMatchObject({ program: { command: [driverProgram], origin: "option" } });
  });

  test("may be named by DROVER_DRIVER, and one that is not there is told by name and origin", async () => {
    await using profile = await testProfile();
    process.env.DROVER_DRIVER = "/nowhere/drover-driver";
    try {
      const error = await failure(ensureDriver({ ...profile.options, program: undefined }));
      expect(error.start).toMatchObject({ reason: "SPAWN_FAILED", program: { origin: "DROVER_DRIVER" } });
      expect(error.message).toContain("the program /nowhere/drover-driver, named by DROVER_DRIVER, is not there");
    } finally {
      delete process.env.DROVER_DRIVER;
    }
  });
});

describe("the data directory", () => {
  test.each(["/dev/null/data", "/proc/nowhere"])("that takes no files (%s) is told", async (dataDirectory) => {
    const error = await failure(ensureDriver({ dataDirectory, program: driverProgram, lease: false }));
    expect(error).toMatchObject({ reason: "DRIVER_START_FAILED", metadata: { reason: "DIRECTORY_UNUSABLE" } });
    expect(error.message).toContain(dataDirectory);
  });

  test("that a group shares gets folders that the group can use, whatever the caller's mask takes away", async () => {
    await using profile = await testProfile();
    const { dataDirectory } = profile;
    await chmod(dataDirectory, 0o2770);
    const program = await writeProgram(dataDirectory, "broken", "exit 1");
    const mask = process.umask(0o077);
    try {
      await failure(ensureDriver({ ...profile.options, program }));
    } finally {
      process.umask(mask);
    }
    for (const name of ["drivers", "logs", "logs/default"])
      expect((await stat(join(dataDirectory, name))).mode & 0o7777).toBe(0o2770);
    expect((await stat(join(dataDirectory, "drivers", "default.start.lock"))).mode & 0o777).toBe(0o660);
  });

  test("lists its drivers also where a file of one is damaged or a profile can't be read", async () => {
    await using profile = await testProfile();
    await using drover = await ensureDriver(profile.options);
    await writeFile(join(profile.dataDirectory, "instances", "broken.json"), '{"formatVersion":1}');
    await rm(join(profile.dataDirectory, "profiles"), { recursive: true, force: true });
    await mkdir(join(profile.dataDirectory, "profiles", "default.toml"), { recursive: true });
    const listed = await listDrivers({ dataDirectory: profile.dataDirectory, program: driverProgram });
    expect(listed).toEqual([
      expect.objectContaining({
        current: true,
        info: expect.objectContaining({ instanceId: await instanceOf(drover) }),
        fit: { usable: true, replaces: false, why: expect.stringContaining("the profile can't be read") },
      }),
    ]);
  });
});
