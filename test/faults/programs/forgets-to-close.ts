import { ensureDriver } from "../../../clients/node/src/index.ts";

// Holds a lease and never closes its client; with `read`, it reads the driver's events.
const [address = "", token = "", mode] = process.argv.slice(2);
const drover = await ensureDriver({ address, token, lease: { name: "forgetful" } });
let leases = 0;
while (leases === 0) leases = (await drover.driver()).leases.length;
process.stdout.write("attached\n");
if (mode === "read") for await (const event of drover.events()) process.stdout.write(`${event.type}\n`);
