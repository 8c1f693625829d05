import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Something that is started once and stopped at the end of the test run. */
export interface Started extends AsyncDisposable {
  /** What a test file needs to know of it. */
  readonly answer: string;
}

export interface OnDemand extends AsyncDisposable {
  /** The socket at which test files ask: `askFor` in test/helpers/on-demand.ts. */
  readonly socket: string;
}

/**
 * Starts something when the first test file asks for it, so that a run that does not need it does not wait for it. It lives
 * in the process that outlives all test files; each of them may ask.
 */
export async function onDemand(start: () => Promise<Started>): Promise<OnDemand> {
  const folder = await mkdtemp(join(tmpdir(), "drover-test-"));
  const socket = join(folder, "ask");
  let started: Promise<Started> | undefined;
  const server = createServer((asking) => {
    asking.on("error", () => undefined);
    started ??= start();
    started.then(
      ({ answer }) => asking.end(JSON.stringify({ answer })),
      (error: unknown) => asking.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) })),
    );
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await started?.then((one) => one[Symbol.asyncDispose]()).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
