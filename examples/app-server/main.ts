import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { parseArgs } from "node:util";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ensureDriver } from "@drover/client";
import { droverRoutes } from "@drover/client/router";
import { sendDelays } from "./events.ts";
import { answerLogin, userOf } from "./login.ts";
import { answerPage } from "./pages.ts";

const { port } = parseArgs({ options: { port: { type: "string", default: "8080" } } }).values;
const drover = await ensureDriver(); // finds the driver, or starts it; follows it to the next one when it is gone

const answerApi = connectNodeAdapter({
  requestPathPrefix: "/api",
  // Asked for every call; the driver's token stays here. `may` beside `user` would allow more or less than asking questions.
  routes: droverRoutes(drover, {
    authorize: ({ headers }) => {
      const user = userOf(headers.get("cookie"));
      return user && { user };
    },
  }),
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(`http://localhost${request.url}`);
  const user = userOf(request.headers.cookie);
  if (pathname.startsWith("/api/")) answerApi(request, response);
  else if (pathname === "/events" && user) void sendDelays(drover, searchParams.get("origin") ?? "ATL", user, response);
  else if (!answerLogin(pathname, request, response)) answerPage(pathname, user, response);
}

const server = createServer((request, response) => {
  try {
    answer(request, response);
  } catch {
    response.writeHead(400).end(); // for example a Host header that names none
  }
});

server.listen(Number(port), "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object")
    console.log(`http://127.0.0.1:${address?.port}/ asks the driver ${drover.instanceId}`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    server.close();
    server.closeAllConnections(); // which cancels what their browsers asked
    void drover.close();
  });
