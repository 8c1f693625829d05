import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { avg, count, type Drover, DroverError, dim, where } from "@drover/client";

/**
 * The same answer as server-sent events, for a page without any client: `new EventSource("/events?origin=ATL")`. Close it at
 * `completed` and `failed`: it asks again otherwise.
 */
export async function sendDelays(drover: Drover, origin: string, endUser: string, response: ServerResponse) {
  const gone = new AbortController();
  response.once("close", () => gone.abort()); // a browser that leaves cancels its query in the driver
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = async (event: string, data: unknown) => {
    const taken = response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (!taken) await once(response, "drain", { signal: gone.signal }); // one that reads slowly is waited for
  };
  try {
    const delays = drover.query(
      "flights",
      {
        dimensions: [dim("date").hourOfDay().as("hour")],
        measures: [count().as("flights"), avg("delay").as("delay")],
        where: where("origin").equals(origin),
      },
      { signal: gone.signal, integers: "number", endUser },
    );
    for await (const event of delays) await send(event.type, event);
  } catch (error) {
    if (!gone.signal.aborted) await send("failed", reasonOf(error)).catch(() => {});
  }
  response.end();
}

/** The message speaks of addresses and files of this server. */
function reasonOf(error: unknown): string {
  return error instanceof DroverError ? error.reason : "UNKNOWN";
}
