import { setTimeout } from "node:timers/promises";
import type { LoadEngineOptions } from "./engine/engine.ts";
import { CallServer } from "./loading/worker/serve-calls.ts";

// The program of a loader worker. The driver starts it with a channel, sends it setup and calls, and ends it by closing the
// channel or by a signal; a worker whose driver has died ends what it does, and itself, within two seconds.
const STOP_TIMEOUT_MS = 1_500;
const LAST_REQUESTS_MS = 500;
// Out of the reach of packages, once the worker runs with a library set.
const send = process.send?.bind(process);
const server = new CallServer({
  openEngine: async (options: LoadEngineOptions) => {
    // Tests and previews of servers need none.
    const { openLoadEngine } = await import("./engine/duckdb/load/load-engine.ts");
    return openLoadEngine(options);
  },
  send: (message) => {
    if (process.connected) send?.(message, undefined, undefined, () => undefined);
  },
});
process.on("message", (message) => server.receive(message as Parameters<CallServer["receive"]>[0]));
process.on("disconnect", async () => {
  if (!server.isBusy) process.exit(0);
  // What runs at a server would run on; the requests that end it are sent on connections of their own.
  const stopped = server.stop().then(() => setTimeout(LAST_REQUESTS_MS));
  await Promise.race([stopped, setTimeout(STOP_TIMEOUT_MS)]);
  // An exit would wait for what the engine still does.
  process.kill(process.pid, "SIGKILL");
});
// The driver decides: it lets a worker finish its call, and Ctrl-C reaches the whole process group.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
if (send === undefined) {
  process.stderr.write("This program is started by the driver.\n");
  process.exitCode = 2;
}
