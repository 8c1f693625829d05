import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A CSV file at a URL that does not come to its end before it is let: a load of it runs for as long as a test needs. */
export interface HeldSource extends AsyncDisposable {
  readonly origin: string;
  readonly uri: string;
  /** Settles when somebody reads it. */
  readonly asked: Promise<void>;
  /** What it ends with. Default: nothing more. */
  ending: string;
  /** Lets it end, for whoever reads it now or later. */
  release(): void;
}

export async function startHeldSource(beginning: string): Promise<HeldSource> {
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = createServer(async (_, response) => {
    response.writeHead(200);
    response.write(beginning);
    asked.resolve();
    await released.promise;
    response.end(source.ending);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const source: HeldSource = {
    origin,
    uri: `${origin}/held.csv`,
    asked: asked.promise,
    ending: "",
    release: () => released.resolve(),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return source;
}
