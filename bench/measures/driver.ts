import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@drover/client";
import { salesCsv } from "../support/data.ts";
import { addressOf, program, startDriver, stop } from "../support/driver.ts";
import { startEchoServer } from "../support/echo-server.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { driverOverEcho } from "../support/rate.ts";
import { percentile } from "../support/statistics.ts";

export const driver: MeasureGroup = {
  name: "driver",
  measures: [
    {
      name: "handshake-rate",
      title: "GetDriver, 64 in flight / a bare grpc-js echo server",
      unit: "x",
      target: { atLeast: 0.8 },
      value: async (bench) => {
        await using running = await startDriver(bench);
        await using echo = await startEchoServer();
        return await driverOverEcho(running, echo);
      },
    },
    {
      name: "start",
      title: "exec of `drover serve` to the first healthy answer, warm compile cache (p50)",
      unit: "ms",
      target: { atMost: 300 },
      value: async (bench) => {
        await startOnce(bench);
        await startOnce(bench);
        const times: number[] = [];
        for (let run = 0; run < 15; run++) times.push(await startOnce(bench));
        return percentile(times, 0.5);
      },
    },
    {
      name: "event-loop-delay",
      title: "event loop delay of the driver during a load and a heavy query (p99)",
      unit: "ms",
      target: { atMost: 50 },
      value: async (bench) => {
        const path = await salesCsv(bench.cache, 10);
        await using running = await startDriver(bench);
        const { client } = running;
        await (await client.load("sales", { uri: path })).result();
        await using other = await connect({ address: running.address, token: running.token });
        const load = await client.load("again", { uri: path });
        const loaded = load.result();
        let worst = 0;
        let over = false;
        void loaded.finally(() => {
          over = true;
        });
        while (!over) {
          await other.sql("SELECT customer, sum(price * quantity) FROM sales GROUP BY customer").frame();
          worst = Math.max(worst, (await client.driver()).eventLoopDelayP99Ms);
        }
        await loaded;
        return worst;
      },
    },
  ],
};

async function startOnce(bench: Bench): Promise<number> {
  const dataDirectory = await mkdtemp(join(bench.folder, "start-"));
  const start = performance.now();
  const child = spawn(program, ["serve", "--data-dir", dataDirectory, "--log-level", "warn"], { stdio: "ignore" });
  try {
    const { address } = await addressOf(dataDirectory, child);
    const healthy = await fetch(`http://${address}/healthz`);
    if (!healthy.ok) throw new Error(`not healthy: ${healthy.status}`);
    return performance.now() - start;
  } finally {
    await stop(child);
    await rm(dataDirectory, { recursive: true, force: true });
  }
}
