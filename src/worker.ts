import type { LoadEngineOptions } from "./engine/engine.ts";
import { CallServer } from "./loading/worker/serve-calls.ts";

// The program of a loader worker. The driver starts it with a channel, sends it setup and calls, and ends it by closing the
// channel or by a signal; a worker whose driver has died ends at once.
const server = new CallServer({
  openEngine: async (options: LoadEngineOptions) => {
    // Tests and previews of servers need none.
    const { openLoadEngine } = await import("./engine/duckdb/load/load-engine.ts");
    return openLoadEngine(options);
  },
  send: (message) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  },
});
process.on("message", (message) => server.receive(message as Parameters<CallServer["receive"]>[0]));
process.on("disconnect", () => process.exit(0));
// The driver decides: it lets a worker finish its call, and Ctrl-C reaches the whole process group.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
if (process.send === undefined) {
  process.stderr.write("This program is started by the driver.\n");
  process.exitCode = 2;
}
