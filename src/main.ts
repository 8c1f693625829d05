import { compose, type Driver, VERSION } from "./compose.ts";
import { type Flags, parseFlags } from "./config/flags.ts";
import { type LoadedConfig, loadConfig } from "./config/load-config.ts";
import { DriverError } from "./errors/driver-error.ts";
import { reasons } from "./errors/reasons.ts";
import {
  addressFilePath,
  describeAddress,
  readAddressFile,
  withdrawAddressFile,
  writeAddressFile,
} from "./lifecycle/address-file.ts";
import { refuseIfAlive } from "./lifecycle/driver-probe.ts";
import { onStopSignal } from "./lifecycle/stop-signals.ts";
import { Logger } from "./observability/logger.ts";

const EXIT = { done: 0, failed: 1, usage: 2, hurried: 130 } as const;
const SPARE_THREADS = 4;
const SETTLE_DELAY_MS = 100;
/** What closing may take after the running work has ended. */
const CLOSE_TIMEOUT_MS = 5_000;
/** What cancelled work, its calls and the parts may take together before the process is killed. */
const LAST_RESORT_MS = 20_000;

const USAGE = `usage: drover serve [--listen HOST:PORT] [--data-dir DIR] [--profile NAME] [--config FILE] [--SETTING VALUE]…
       drover config show [--origins] [--json]
docs/configuration.md lists the settings.
`;

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case "serve":
      return serve(parseFlags(rest));
    case "config": {
      const { showConfig } = await import("./config/show-config.ts");
      return showConfig(rest, process.env, (text) => process.stdout.write(text));
    }
    case "--version":
      process.stdout.write(`${VERSION}\n`);
      return EXIT.done;
    case "help":
    case "--help":
      process.stdout.write(USAGE);
      return EXIT.done;
    default:
      process.stderr.write(USAGE);
      return EXIT.usage;
  }
}

async function serve(flags: Flags): Promise<number> {
  const config = loadConfig({ flags, environment: process.env });
  const { settings } = config;
  // Engines compute on libuv's threads: with the default of 4, a few queries would hold up every file access. Counts only
  // before the first use of a thread.
  process.env.UV_THREADPOOL_SIZE ??= String(settings.pools.readers.size + settings.pools.loaders.size + SPARE_THREADS);
  const logger = new Logger(settings.log);
  for (const warning of config.warnings) logger.warn(warning);
  const file = addressFilePath(settings.dataDir, settings.profile);
  await refuseIfAlive(file, readAddressFile(file));
  const stopped = Promise.withResolvers<NodeJS.Signals>();
  const hurried = new AbortController();
  const off = onStopSignal(stopped.resolve, () => {
    if (hurried.signal.aborted) killSelf(logger, "asked to stop once more");
    hurried.abort();
  });
  process.on("uncaughtException", (error) => {
    logger.error("an error that nobody expected", { error });
    killSelf(logger, "its state is not known");
  });
  try {
    const driver = await compose(config, logger);
    await announce(driver, config, file, logger);
    const signal = await stopped.promise;
    logger.info("stopping", { signal, graceMs: settings.stopGrace });
    await drain(driver, { file, graceMs: settings.stopGrace, hurried: hurried.signal, logger });
    logger.info("stopped");
    return hurried.signal.aborted ? EXIT.hurried : EXIT.done;
  } finally {
    off();
    logger.flush();
  }
}

async function announce(driver: Driver, { settings }: LoadedConfig, file: string, logger: Logger): Promise<void> {
  const { identity, readiness, server } = driver;
  readiness.becomeServing();
  const tls = settings.tls.certFile !== "";
  await writeAddressFile(
    file,
    describeAddress(identity, { address: server.address, tls, tokenFile: settings.tokenFile }),
  );
  logger.info("serving", { address: server.address, tls, instanceId: identity.instanceId, dataDir: settings.dataDir });
  // After the first health check had its chance.
  setTimeout(() => void settle(driver, logger), SETTLE_DELAY_MS).unref();
}

async function settle({ readiness, ...driver }: Driver, logger: Logger): Promise<void> {
  try {
    if (readiness.serving) await driver.settle();
  } catch (error) {
    // Parts that close while they settle are no news.
    if (readiness.serving) logger.error("not all that can wait for the start was done", { error });
  }
}

interface DrainOptions {
  readonly file: string;
  readonly graceMs: number;
  /** Aborted when the grace is over at once. */
  readonly hurried: AbortSignal;
  readonly logger: Logger;
}

/** Not ready, not to be found, nothing new; what runs may finish, then it is cancelled; then everything closes. */
async function drain(driver: Driver, { file, graceMs, hurried, logger }: DrainOptions): Promise<void> {
  const { identity, readiness, operations, server } = driver;
  const lastResort = setTimeout(() => killSelf(logger, "it does not stop"), graceMs + LAST_RESORT_MS);
  readiness.becomeStopping();
  await withdrawAddressFile(file, identity.instanceId);
  driver.claim[Symbol.dispose]();
  server.stopListening(graceMs + CLOSE_TIMEOUT_MS);
  const grace = AbortSignal.any([AbortSignal.timeout(graceMs), hurried]);
  await Promise.all([operations.stop({ graceMs, signal: hurried }), server.workDone({ signal: grace })]);
  const stopped = new DriverError("DRIVER_STOPPED", "the driver stopped before the call was done");
  await server.abortCalls(stopped, { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) });
  await driver[Symbol.asyncDispose]();
  clearTimeout(lastResort);
}

/** `process.exit` joins libuv's threads, so it would wait, for ever it may be, for the statements that engines run on them. */
function killSelf(logger: Logger, why: string): void {
  logger.error("the driver is killed", { why });
  logger.flush();
  process.kill(process.pid, "SIGKILL");
}

/** A reader such as `head` leaves when it has enough. */
function allowClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

function complain(thrown: unknown): number {
  const error = DriverError.from(thrown);
  const { cause } = error;
  const why = cause instanceof Error && !error.message.includes(cause.message) ? `because: ${cause.message}\n` : "";
  process.stderr.write(`drover: ${error.reason}: ${error.message}\n${why}${reasons[error.reason].help}\n`);
  if (error.reason === "INTERNAL") console.error(cause);
  return error.reason === "USAGE" || error.reason === "CONFIG_INVALID" ? EXIT.usage : EXIT.failed;
}

allowClosedPipes();
process.exitCode = await main(process.argv.slice(2)).catch(complain);
