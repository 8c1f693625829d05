import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A file at a URL. While it is held only its first half comes, so that a load of it runs for as long as a test needs. */
export interface HeldFile extends AsyncDisposable {
  readonly uri: string;
  /** Settles when somebody reads it. */
  readonly asked: Promise<void>;
  /** From the next request on. */
  hold(): void;
  letGo(): void;
}

/** Serves a file, which is held at first; the URL ends as `name` does. */
export async function holdFile(name: string, content: string): Promise<HeldFile> {
  const bytes = Buffer.from(content);
  const half = bytes.length >> 1;
  const asked = Promise.withResolvers<void>();
  let gate = Promise.withResolvers<void>();
  const server = createServer(async (_, response) => {
    response.on("error", () => {});
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, half));
    asked.resolve();
    await gate.promise;
    response.end(bytes.subarray(half));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`,
    asked: asked.promise,
    hold: () => {
      gate = Promise.withResolvers();
    },
    letGo: () => gate.resolve(),
    [Symbol.asyncDispose]: async () => {
      gate.resolve();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
