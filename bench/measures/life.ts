import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { connect, type Drover, ensureDriver } from "@drover/client";
import { salesCsv } from "../support/data.ts";
import { driverProgram as program, rssMb, startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { median, percentile, timeMs } from "../support/statistics.ts";
import { WaitingClients } from "../support/waiting-clients.ts";

const COLD_STARTS = 20;
const WARM_CONNECTS = 30;
const KILLS = 7;
const CLIENTS = 50;
const IDLE_MS = 20_000;
const PROBE_EVERY_MS = 20;

export const life: MeasureGroup = {
  name: "life",
  measures: [
    {
      name: "ensure-cold-p50",
      title: "nothing running to a connected client (p50)",
      unit: "ms",
      target: { atMost: 400 },
      value: async (bench) => percentile(await coldStarts(bench), 0.5),
    },
    {
      name: "ensure-cold-p95",
      title: "nothing running to a connected client (p95)",
      unit: "ms",
      target: { atMost: 700 },
      value: async (bench) => percentile(await coldStarts(bench), 0.95),
    },
    {
      name: "ensure-warm",
      title: "driver running to a connected client (p50)",
      unit: "ms",
      target: { atMost: 15 },
      value: (bench) =>
        withProfile(bench, async (dataDirectory) => {
          await using first = await ensureDriver({ dataDirectory, program });
          const times: number[] = [];
          for (let run = 0; run < WARM_CONNECTS; run++) {
            times.push(
              await timeMs(async () => {
                await using _ = await ensureDriver({ dataDirectory, program });
              }),
            );
          }
          await end(first);
          return median(times);
        }),
    },
    {
      name: "failover",
      title: "driver killed in a query to the answer from the next one (worst of 7)",
      unit: "ms",
      target: { atMost: 1_500 },
      value: failover,
    },
    {
      name: "fifty-clients",
      title: "50 client processes at once, nothing running, to the last one connected",
      unit: "ms",
      target: { atMost: 2_000 },
      value: (bench) =>
        withProfile(bench, async (dataDirectory) => {
          await using clients = await WaitingClients.start(CLIENTS, dataDirectory);
          const start = performance.now();
          const connected = await clients.go();
          const took = performance.now() - start;
          const drivers = new Set(connected.map(({ instanceId }) => instanceId));
          if (drivers.size !== 1) throw new Error(`${drivers.size} drivers`);
          bench.note(`median of a client ${Math.round(median(connected.map(({ ms }) => ms)))} ms`);
          await end(await ensureDriver({ dataDirectory, program }));
          return took;
        }),
    },
    {
      name: "idle-cpu",
      title: "CPU of an idle driver, share of a core",
      unit: "%",
      target: { atMost: 0.5 },
      value: (bench) => idle(bench, async (pid) => (await cpuMs(pid, IDLE_MS)) / (IDLE_MS / 100)),
    },
    {
      name: "idle-rss",
      title: "resident set of an idle, fresh driver",
      unit: "MB",
      target: { atMost: 150 },
      value: (bench) => idle(bench, rssMb),
    },
    {
      name: "probe-under-load",
      title: "health probe during a heavy load and 8 heavy queries (p99)",
      unit: "ms",
      target: { atMost: 50 },
      value: probeUnderLoad,
    },
  ],
};

const coldSamples = new WeakMap<Bench, Promise<readonly number[]>>();

/** Both percentiles are of the same starts. */
function coldStarts(bench: Bench): Promise<readonly number[]> {
  const known = coldSamples.get(bench) ?? takeColdStarts(bench);
  coldSamples.set(bench, known);
  return known;
}

async function takeColdStarts(bench: Bench): Promise<readonly number[]> {
  const times: number[] = [];
  for (let run = -2; run < COLD_STARTS; run++) {
    await withProfile(bench, async (dataDirectory) => {
      const start = performance.now();
      const drover = await ensureDriver({ dataDirectory, program });
      // The first two warm the compile cache.
      if (run >= 0) times.push(performance.now() - start);
      await end(drover);
    });
  }
  return times;
}

/** The way over a restart, as a user of the client sees it: one call of `rows()`. */
async function failover(bench: Bench): Promise<number> {
  const path = await salesCsv(bench.cache, 1);
  return withProfile(bench, async (dataDirectory) => {
    const backoff = { freeFailures: 1000 };
    const drover = await ensureDriver({ dataDirectory, program, backoff });
    await (await drover.load("sales", { uri: path })).result();
    const ask = () => drover.sql("SELECT customer, sum(price * quantity) FROM sales GROUP BY customer LIMIT 5").rows();
    await ask();
    const alone = await timeMs(ask);
    const times: number[] = [];
    for (let run = 0; run < KILLS; run++) {
      const { pid } = await drover.driver();
      const answered = ask();
      await sleep(alone / 4);
      process.kill(pid, "SIGKILL");
      times.push(await timeMs(() => answered));
    }
    bench.note(`median ${Math.round(median(times))} ms, with the query itself (alone ${Math.round(alone)} ms)`);
    await end(drover);
    return Math.max(...times);
  });
}

async function probeUnderLoad(bench: Bench): Promise<number> {
  const path = await salesCsv(bench.cache, 10);
  await using running = await startDriver(bench);
  const { client, address, token } = running;
  await (await client.load("sales", { uri: path })).result();
  await using other = await connect({ address, token });
  const loaded = (await client.load("again", { uri: path })).result();
  let over = false;
  void loaded.finally(() => {
    over = true;
  });
  const sql = "SELECT customer, sum(price * quantity) FROM sales GROUP BY customer";
  const queries = Array.from({ length: 8 }, async () => {
    while (!over) await other.sql(sql).frame();
  });
  const prober = new Worker(new URL("../support/prober.ts", import.meta.url), {
    workerData: { url: `http://${address}/healthz`, everyMs: PROBE_EVERY_MS },
  });
  await Promise.all([loaded, ...queries]);
  const probed = once(prober, "message");
  prober.postMessage("stop");
  const [times] = (await probed) as [readonly number[]];
  return percentile(times, 0.99);
}

async function idle(bench: Bench, take: (pid: number) => Promise<number>): Promise<number> {
  return withProfile(bench, async (dataDirectory) => {
    const drover = await ensureDriver({ dataDirectory, program });
    const { pid } = await drover.driver();
    // What a driver does right after its start is no idling.
    await sleep(3_000);
    const value = await take(pid);
    await end(drover);
    return value;
  });
}

async function withProfile<T>(bench: Bench, work: (dataDirectory: string) => Promise<T>): Promise<T> {
  const dataDirectory = await mkdtemp(join(bench.folder, "life-"));
  try {
    return await work(dataDirectory);
  } finally {
    await rm(dataDirectory, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Stops the driver and waits until its process is gone. */
async function end(drover: Drover): Promise<void> {
  const { pid } = await drover.driver();
  await drover.stop({ reason: "the measure is done" });
  await drover.close();
  while (isAlive(pid)) await sleep(5);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** CPU time that a process takes within a while; of Linux's 100 ticks a second. */
async function cpuMs(pid: number, withinMs: number): Promise<number> {
  const ticks = async () => {
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = await ticks();
  await sleep(withinMs);
  return ((await ticks()) - before) * 10;
}
