import type { Driver } from "./compose/compose.ts";
import { DriverError } from "./errors/driver-error.ts";
import type { DriverControl } from "./lifecycle/control.ts";
import { EndDeadline } from "./lifecycle/end-deadline.ts";
import type { Logger } from "./observability/logger.ts";

/** What closing may take after the running work has ended. */
const CLOSE_TIMEOUT_MS = 5_000;
/** What cancelled work, its calls and the parts may take together before the process is killed. */
export const LAST_RESORT_MS = 20_000;
/** The deadline ends the wait; this is only the longest that a timer takes. */
const NO_GRACE_LIMIT_MS = 2 ** 31 - 1;

export interface DrainOptions {
  readonly control: DriverControl;
  readonly logger: Logger;
  /** Takes the address away and gives the profile's lock back, so that the next driver can start. */
  readonly withdraw: () => Promise<void>;
  /** The last resort. */
  readonly kill: (why: string) => void;
}

/**
 * Not ready, not to be found, nothing new; what runs may finish until the deadline, and whoever lost its connection may come
 * back for it; then the rest is cancelled and everything closes.
 */
export async function drain(driver: Driver, { control, logger, withdraw, kill }: DrainOptions): Promise<void> {
  const { readiness, operations, queries, server } = driver;
  using deadline = new EndDeadline(control);
  const stop = () => {
    readiness.become("stopping");
    killAfterLastResort(kill);
  };
  readiness.become("draining");
  const { reason, deadline: until } = control.draining ?? {};
  logger.info("draining", { reason, deadline: until, operations: operations.live });
  if (deadline.signal.aborted) stop();
  else deadline.signal.addEventListener("abort", stop, { once: true });
  await withdraw();
  const { signal } = deadline;
  await Promise.all([operations.stop({ graceMs: NO_GRACE_LIMIT_MS, signal }), server.workDone({ signal })]);
  // A query may have ended while its reader was away, who may come for the rest and must then get it.
  await queries.settled({ signal });
  await server.workDone({ signal });
  stop();
  logger.info("stopping");
  server.stopListening(CLOSE_TIMEOUT_MS);
  const stopped = new DriverError("DRIVER_STOPPED", "the driver stopped before the call was done");
  await server.abortCalls(stopped, { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) });
  await driver[Symbol.asyncDispose]();
}

/** Not cleared and not waited for: it strikes only if something keeps the process alive. */
export function killAfterLastResort(kill: (why: string) => void): void {
  setTimeout(() => kill("it does not stop"), LAST_RESORT_MS).unref();
}
