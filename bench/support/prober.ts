/** A thread that probes a driver again and again, so that work of the bench itself does not hold it up. */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

const { url, everyMs } = workerData as { url: string; everyMs: number };
const times: number[] = [];
let over = false;
parentPort?.once("message", () => {
  over = true;
});
while (!over) {
  const start = performance.now();
  await (await fetch(url)).arrayBuffer();
  times.push(performance.now() - start);
  await sleep(everyMs);
}
parentPort?.postMessage(times);
