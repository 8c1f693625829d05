/** A process that has its client loaded and waits for the word: prints `ready`, then what connecting took, as JSON. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { ensureDriver } from "@drover/client";

const [, , dataDirectory = "", program = ""] = process.argv;
const lines = createInterface({ input: process.stdin });
process.stdout.write("ready\n");
await once(lines, "line");
const start = performance.now();
await using drover = await ensureDriver({ dataDirectory, program });
const ms = performance.now() - start;
process.stdout.write(`${JSON.stringify({ instanceId: drover.instanceId, ms })}\n`);
// Until standard input ends: nobody is to find the driver idle meanwhile.
await once(lines, "close");
