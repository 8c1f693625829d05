import { createServer } from "node:http";
import { avg, connectByAddressFile, count, dim, where } from "@drover/client";

const drover = await connectByAddressFile(); // the driver that `npm start` or `drover serve` runs

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname !== "/delays") return response.setHeader("content-type", "text/html").end(page);
  const gone = new AbortController();
  response.once("close", () => gone.abort()); // a browser that leaves cancels its query in the driver
  response.setHeader("content-type", "text/event-stream");
  const spec = {
    dimensions: [dim("date").hourOfDay().as("hour")],
    measures: [count(), avg("delay").as("delay")],
    where: where("origin").equals(url.searchParams.get("origin") ?? "ATL"),
  };
  try {
    for await (const event of drover.query("flights", spec, { signal: gone.signal, integers: "number" }))
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  } catch (error) {
    response.write(`event: failed\ndata: ${JSON.stringify(String(error))}\n\n`);
  }
  response.end();
});

const page = `<!doctype html><title>Delay by hour</title><h1>Average delay at ATL by hour</h1><div id="chart"></div><script>
  const source = new EventSource("/delays?origin=ATL");
  const bar = ([hour, flights, delay]) =>
    \`<div style="width:\${delay * 20}px;background:#48c;margin:1px">\${hour}h&nbsp;\${delay.toFixed(1)}&nbsp;min</div>\`;
  source.addEventListener("frame", (message) => (chart.innerHTML = JSON.parse(message.data).frame.values.map(bar).join("")));
  source.addEventListener("completed", () => source.close());
</script>`;

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => console.log(server.address()));
