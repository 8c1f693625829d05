import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { DEFAULT_SEGMENT_LIMITS } from "../../../src/loading/service.ts";
import type { WorkerLease, WorkerPool } from "../../../src/loading/workers/model.ts";
import type { WorkerPoolEvent } from "../../../src/loading/workers/worker-pool.ts";
import type { Source } from "../../../src/sources/connector.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";
import { openTestWorkers, type TestWorkerOptions } from "../../helpers/workers.ts";

const signal = new AbortController().signal;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;
let file: string;
let pool: WorkerPool;
let events: WorkerPoolEvent[];

beforeAll(async () => {
  folder = await temporaryFolder();
  path = await realpath(folder.path);
  file = join(path, "rows.csv");
  await writeFile(file, "id,text\n1,a\n");
});
afterEach(() => pool[Symbol.asyncDispose]());
afterAll(() => folder[Symbol.asyncDispose]());

function open(options: TestWorkerOptions = {}): void {
  events = [];
  pool = openTestWorkers(path, { events, ...options });
}

const source = () => ({ kind: "csv", uri: file, options: {} });
const tested = (lease: WorkerLease) => lease.call("testSource", { source: source() }, { signal });
const counts = () => {
  const { now, busy, wanted, queued, maxNeeded } = pool.status();
  return { now, busy, wanted, queued, maxNeeded };
};
const folders = async () => (await readdir(path)).filter((name) => name.startsWith("worker-"));

describe("the pool", () => {
  test("starts a worker for the first need, lends it again, and ends it when it was idle for long", async () => {
    open({ idleMs: 50 });
    expect(counts()).toEqual({ now: 0, busy: 0, wanted: 0, queued: 0, maxNeeded: 0 });
    const first = await pool.lease("interactive", { signal });
    expect(counts()).toEqual({ now: 1, busy: 1, wanted: 1, queued: 0, maxNeeded: 1 });
    expect(await tested(first)).toEqual({ description: "1 file, 12 bytes" });
    await first[Symbol.asyncDispose]();
    const again = await pool.lease("first", { signal });
    expect(again.pid).toBe(first.pid);
    await again[Symbol.asyncDispose]();
    await expect.poll(counts).toEqual({ now: 0, busy: 0, wanted: 0, queued: 0, maxNeeded: 0 });
    expect(existsSync(`/proc/${first.pid}`)).toBe(false);
    expect(await folders()).toEqual([]);
    expect(events.map(({ type }) => type)).toEqual(["started"]);
  });

  test("keeps as few as it was told to, and starts some with the driver", async () => {
    open({ min: 1, initial: 2, idleMs: 50 });
    pool.warmUp();
    await expect.poll(() => events.length).toBe(2);
    await expect.poll(counts).toMatchObject({ now: 1, wanted: 1 });
  });

  test("grows with those who wait, up to its limit, and lets loads leave one worker to whom somebody waits for", async () => {
    open({ max: 3 });
    const leases = await Promise.all([pool.lease("first", { signal }), pool.lease("more", { signal })]);
    const waiting = [pool.lease("more", { signal }), pool.lease("first", { signal })];
    expect(counts()).toEqual({ now: 2, busy: 2, wanted: 2, queued: 2, maxNeeded: 4 });
    const preview = await pool.lease("interactive", { signal });
    expect(counts()).toEqual({ now: 3, busy: 3, wanted: 3, queued: 2, maxNeeded: 5 });
    // A whole load goes before more hands for another one, though it came later.
    await leases[0]?.[Symbol.asyncDispose]();
    const next = (await waiting[1]) as WorkerLease;
    expect(next.pid).toBe(leases[0]?.pid);
    await next[Symbol.asyncDispose]();
    expect((await waiting[0])?.pid).toBe(next.pid);
    for (const lease of [preview, leases[1], await waiting[0]]) await lease?.[Symbol.asyncDispose]();
    expect(counts()).toMatchObject({ now: 3, busy: 0 });
  });

  test("lets a load have its turn however many others keep asking", async () => {
    open({ max: 2 });
    const held = [await pool.lease("interactive", { signal }), await pool.lease("interactive", { signal })];
    const order: string[] = [];
    const asked = (purpose: "first" | "interactive") =>
      pool.lease(purpose, { signal }).then(async (lease) => {
        order.push(purpose);
        await lease[Symbol.asyncDispose]();
      });
    const all = [asked("first"), ...Array.from({ length: 10 }, () => asked("interactive"))];
    for (const lease of held) await lease[Symbol.asyncDispose]();
    await Promise.all(all);
    expect(order.slice(0, 5)).toEqual(["interactive", "interactive", "interactive", "first", "interactive"]);
  });

  test("divides the threads among those that load", async () => {
    open({ threads: 4 });
    const leases = [await pool.lease("first", { signal })];
    expect(pool.threadShare()).toBe(4);
    leases.push(await pool.lease("interactive", { signal }), await pool.lease("more", { signal }));
    expect(pool.threadShare()).toBe(2);
    for (const lease of leases) await lease[Symbol.asyncDispose]();
  });

  test("forgets who gives up waiting", async () => {
    open({ max: 1 });
    const lease = await pool.lease("first", { signal });
    const gone = new AbortController();
    const waiting = pool.lease("first", { signal: gone.signal });
    gone.abort(new Error("no more"));
    await expect(waiting).rejects.toThrow("no more");
    expect(counts()).toMatchObject({ queued: 0, maxNeeded: 1 });
    await lease[Symbol.asyncDispose]();
  });

  test("says why a worker can't start, and does not try for ever", async () => {
    open({ min: 1, program: [process.execPath, join(path, "nothing.mjs")] });
    const error = await pool.lease("first", { signal }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: "WORKER_CRASHED", message: expect.stringContaining("exit code 1") });
    await expect.poll(() => pool.status()).toMatchObject({ now: 0, pendingToAdd: 0, queued: 0 });
  });

  test("says so to everybody who waits where no worker's folder can be made", async () => {
    open({ max: 2, workDirectory: join(path, "gone") });
    const waiting = Array.from({ length: 4 }, () => pool.lease("first", { signal }));
    const told = (await Promise.allSettled(waiting)).map((end) => "reason" in end && end.reason);
    expect(told).toEqual(Array(4).fill(expect.objectContaining({ reason: "INTERNAL" })));
    expect(pool.status()).toMatchObject({ now: 0, pendingToAdd: 0, queued: 0 });
  });

  test("ends its workers with itself", async () => {
    open();
    const { pid } = await pool.lease("first", { signal });
    await pool[Symbol.asyncDispose]();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(await folders()).toEqual([]);
    await expect(pool.lease("first", { signal })).rejects.toMatchObject({ reason: "NOT_SERVING" });
  });
});

describe("a worker", () => {
  test("is niced and bounded, and has nothing of its driver's environment", async () => {
    process.env.DROVER_SECRET_TEST = "hidden";
    open();
    const lease = await pool.lease("first", { signal });
    delete process.env.DROVER_SECRET_TEST;
    await tested(lease);
    const read = (name: string) => readFile(`/proc/${lease.pid}/${name}`, "latin1");
    expect((await read("stat")).split(") ")[1]?.split(" ")[16]).toBe("10");
    expect(await read("limits")).toMatch(/Max data size\s+2700000000\s/);
    const variables = (await read("environ")).split("\0").map((entry) => entry.replace(/=.*/s, ""));
    const known = ["", "PATH", "LANG", "LC_ALL", "NODE_COMPILE_CACHE", "HOME", "TMPDIR", "NODE_CHANNEL_FD"];
    expect(variables.filter((name) => ![...known, "NODE_CHANNEL_SERIALIZATION_MODE"].includes(name))).toEqual([]);
    expect(await read("cmdline")).toMatch(/--max-old-space-size=476/);
    await lease[Symbol.asyncDispose]();
  });

  test("that is killed fails its own call and nobody else's", async () => {
    open();
    const [victim, other] = [await pool.lease("first", { signal }), await pool.lease("more", { signal })];
    await appendFile(file, "2,b\n".repeat(500_000));
    const load = (lease: WorkerLease) =>
      readWhole(lease, join(path, `loaded-${lease.pid}`)).catch((thrown: unknown) => thrown);
    const both = [load(victim), load(other)];
    process.kill(victim.pid ?? 0, "SIGKILL");
    expect(await both[0]).toMatchObject({ reason: "WORKER_CRASHED", message: expect.stringContaining("SIGKILL") });
    expect(await both[1]).toMatchObject({ rows: 500_001 });
    await victim[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    expect(counts()).toMatchObject({ now: 1 });
    expect(events.at(-1)).toMatchObject({ type: "ended", error: { reason: "WORKER_CRASHED" } });
  });

  test("that takes more memory than it may is ended", async () => {
    open({ workerBytes: 5e6 });
    const lease = await pool.lease("first", { signal });
    // Its program alone takes more; that it is looked at before it has answered must not depend on who is faster.
    process.kill(lease.pid ?? 0, "SIGSTOP");
    const call = tested(lease);
    await expect(call).rejects.toMatchObject({ reason: "WORKER_OUT_OF_MEMORY", metadata: { limit: "5000000" } });
    await lease[Symbol.asyncDispose]();
  });

  test("that gives no sign of life is ended", async () => {
    open({ hangTimeoutMs: 400 });
    const lease = await pool.lease("first", { signal });
    process.kill(lease.pid ?? 0, "SIGSTOP");
    await expect(tested(lease)).rejects.toMatchObject({ reason: "WORKER_HUNG" });
    await lease[Symbol.asyncDispose]();
    expect(existsSync(`/proc/${lease.pid}`)).toBe(false);
  });

  test("that has answered is not ended because its driver was held up", async () => {
    open({ hangTimeoutMs: 4_000 });
    const lease = await pool.lease("first", { signal });
    await tested(lease);
    const pid = lease.pid ?? 0;
    process.kill(pid, "SIGSTOP");
    const call = tested(lease);
    // Asked for a sign of life, it gives one while its driver is held up for longer than it may be silent.
    await sleep(1_200);
    process.kill(pid, "SIGCONT");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
    expect(await call).toMatchObject({ description: expect.any(String) });
    await lease[Symbol.asyncDispose]();
  });

  test("that can't write its copies for want of space says so", async () => {
    open();
    const lease = await pool.lease("first", { signal });
    const records = join(path, "records.xml");
    await writeFile(records, `<all>${"<one><text>a text of some length</text></one>".repeat(100_000)}</all>`);
    execFileSync("prlimit", ["--pid", String(lease.pid), "--fsize=1000000"]);
    const error = readWhole(lease, join(path, "full"), { kind: "xml", uri: records, options: {} });
    await expect(error).rejects.toMatchObject({ reason: "DISK_FULL" });
    await lease[Symbol.asyncDispose]();
  });

  test("that prints a secret when it dies shows it to nobody", async () => {
    const program = join(path, "careless.mjs");
    await writeFile(
      program,
      `process.on("message", ({ type, params }) => {
        if (type === "setup") process.send({ type: "ready" });
        if (type !== "call") return;
        console.error({ password: params.source.server.password, url: encodeURIComponent(params.source.server.password) });
        process.exit(3);
      });`,
    );
    open({ program: [process.execPath, program] });
    const lease = await pool.lease("first", { signal });
    const server = { name: "db", uri: "postgresql://db/", options: {}, password: 'hunter2 "quoted"' };
    const call = lease.call("testSource", { source: { kind: "postgres", uri: "", options: {}, server } }, { signal });
    const error = DriverError.from(await call.catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ reason: "WORKER_CRASHED", metadata: { output: expect.stringContaining("…") } });
    await lease[Symbol.asyncDispose]();
    expect(JSON.stringify([error.message, error.metadata, events])).not.toContain("hunter2");
  });

  test("that does not stop when it is told to is ended", async () => {
    open({ stopTimeoutMs: 200 });
    const lease = await pool.lease("first", { signal });
    const cancel = new AbortController();
    process.kill(lease.pid ?? 0, "SIGSTOP");
    const call = lease.call("testSource", { source: source() }, { signal: cancel.signal });
    cancel.abort(new Error("enough"));
    await expect(call).rejects.toMatchObject({ reason: "INTERNAL", cause: { message: "enough" } });
    expect(lease.isOver).toBe(true);
    await lease[Symbol.asyncDispose]();
  });
});

async function readWhole(lease: WorkerLease, directory: string, from: Source = source()) {
  await mkdir(directory);
  const workDirectory = join(directory, "work");
  const opened = { source: from, directory, workDirectory, limits: DEFAULT_SEGMENT_LIMITS };
  await lease.call("openLoad", opened, { signal });
  const { partitions } = await lease.call("planLoad", { maxPartitions: 1 }, { signal });
  const partition = partitions[0] ?? {};
  return lease.call("readPartition", { partition, number: 0, threads: 1 }, { signal });
}
