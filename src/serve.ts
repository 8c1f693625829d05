import { ProfileClaim } from "./catalog/profile-claim.ts";
import { prepareSharedDirectory } from "./catalog/shared-directory.ts";
import { compose, type Driver } from "./compose/compose.ts";
import { applySharing } from "./config/file-modes.ts";
import { parseFlags } from "./config/flags.ts";
import { type LoadedConfig, loadConfig } from "./config/load-config.ts";
import { drain, killAfterLastResort, LAST_RESORT_MS } from "./drain.ts";
import { DriverError } from "./errors/driver-error.ts";
import {
  addressFilePath,
  describeAddress,
  instanceFilePath,
  removeAddressDrafts,
  withdrawAddressFile,
  writeAddressFile,
} from "./lifecycle/address-file.ts";
import { DriverControl } from "./lifecycle/control.ts";
import { limitCpus } from "./lifecycle/cpu-affinity.ts";
import { takeHandedSocket } from "./lifecycle/handed-socket.ts";
import { type LaunchArguments, takeLaunchArguments } from "./lifecycle/launch-arguments.ts";
import { LaunchMessages } from "./lifecycle/launch-messages.ts";
import { watchOwnAddress } from "./lifecycle/own-address.ts";
import { markRunning, unmarkRunning } from "./lifecycle/running-mark.ts";
import { asStartError } from "./lifecycle/start-error.ts";
import { limitStart } from "./lifecycle/start-limit.ts";
import { onStopSignal } from "./lifecycle/stop-signals.ts";
import { rotateLog } from "./observability/log-rotation.ts";
import { Logger } from "./observability/logger.ts";

const SPARE_THREADS = 4;
const SETTLE_DELAY_MS = 100;
/** How long a successor waits for the profile's lock. */
const TAKE_OVER_TIMEOUT_MS = 30_000;
/** More than the client that started it allows for all phases and the lock together: it may be dead. */
const START_TIMEOUT_MS = 120_000;
const ADDRESS_CHECK_INTERVAL_MS = 5_000;
const LOG_CHECK_INTERVAL_MS = 60_000;

/** How a driver ended: after a second signal it left running work no time. */
export type End = "done" | "hurried";

/** Runs a driver from its start to its end. `workerProgram` is the command of loader workers. Throws what keeps it from starting. */
export async function serve(args: readonly string[], workerProgram: readonly string[]): Promise<End> {
  const { launch, rest } = takeLaunchArguments(args);
  using messages = new LaunchMessages(launch);
  messages.phase("configuration");
  try {
    const config = loadConfig({ flags: parseFlags(rest), environment: process.env });
    return await new Serving(config, launch, messages, workerProgram).run();
  } catch (thrown) {
    const error = asStartError(thrown);
    messages.failed(error);
    throw error;
  }
}

class Serving {
  readonly #config: LoadedConfig;
  readonly #launch: LaunchArguments;
  readonly #messages: LaunchMessages;
  readonly #workerProgram: readonly string[];
  readonly #logger: Logger;
  readonly #control = new DriverControl();
  #hurried = false;

  constructor(
    config: LoadedConfig,
    launch: LaunchArguments,
    messages: LaunchMessages,
    workerProgram: readonly string[],
  ) {
    this.#config = config;
    this.#launch = launch;
    this.#messages = messages;
    this.#workerProgram = workerProgram;
    this.#logger = new Logger(config.settings.log);
  }

  async run(): Promise<End> {
    const { settings, warnings } = this.#config;
    // Engines compute on libuv's threads: with the default of 4, a few queries would hold up every file access. Counts only
    // before the first use of a thread.
    const threads = settings.pools.readers.size + settings.pools.loaders.size + SPARE_THREADS;
    process.env.UV_THREADPOOL_SIZE ??= String(threads);
    for (const warning of warnings) this.#logger.warn(warning);
    const off = this.#listen();
    try {
      await this.#live();
      this.#logger.info("stopped");
      return this.#hurried ? "hurried" : "done";
    } catch (error) {
      killAfterLastResort((why) => this.#kill(why));
      throw error;
    } finally {
      off();
      this.#logger.flush();
    }
  }

  async #live(): Promise<void> {
    const { dataDir, profile, share } = this.#config.settings;
    applySharing(share);
    const group = share === "group" ? await prepareSharedDirectory(dataDir) : undefined;
    const place = { dataDirectory: dataDir, profile };
    const { replaces } = this.#launch;
    const socket = takeHandedSocket(process.env, process.pid);
    using limit = limitStart({
      control: this.#control,
      // Whoever serves by hand watches it.
      timeoutMs: this.#launch.id === undefined ? undefined : START_TIMEOUT_MS,
      lastResortMs: LAST_RESORT_MS,
      kill: (why) => this.#kill(why),
    });
    // Before anything heavy: of many that start at once all but one end here.
    using claim = replaces === undefined ? await ProfileClaim.take(place) : await ProfileClaim.succeed(place);
    await limitCpus(this.#config.settings.threads);
    await using driver = await compose(this.#config, {
      logger: this.#logger,
      group,
      control: this.#control,
      launch: this.#launch,
      workerProgram: this.#workerProgram,
      socket,
      onPhase: (phase) => this.#messages.phase(phase),
    });
    // A port that is always the same still belongs to the driver that is to be replaced.
    const late = replaces !== undefined && driver.server.fixedPort;
    if (!late) await driver.listen();
    if (replaces !== undefined) await this.#takeOver(claim);
    const { draining } = this.#control;
    if (draining) {
      this.#messages.failed(
        new DriverError("DRIVER_STOPPED", `it was told to end while it started: ${draining.reason}`),
      );
      return;
    }
    if (late) await driver.listen();
    await this.#announce(driver);
    limit[Symbol.dispose]();
    claim.published();
    using watch = this.#watchAddress(driver);
    using _rotation = this.#rotateLog();
    await this.#control.asked;
    const withdraw = async () => {
      // From now on the file is rightly gone or another's.
      watch[Symbol.dispose]();
      await this.#withdraw(driver, claim);
    };
    const kill = (why: string) => this.#kill(why);
    await drain(driver, { control: this.#control, logger: this.#logger, withdraw, kill });
  }

  /** A signal that comes while it waits ends the wait; that it was told to end is seen later. */
  async #takeOver(claim: ProfileClaim): Promise<void> {
    this.#messages.standby();
    const asked = new AbortController();
    const off = this.#control.onChange(() => asked.abort());
    if (this.#control.draining) asked.abort();
    try {
      await claim.takeOver({ timeoutMs: TAKE_OVER_TIMEOUT_MS, signal: asked.signal });
    } catch (error) {
      if (!asked.signal.aborted) throw error;
    } finally {
      off();
    }
  }

  async #announce(driver: Driver): Promise<void> {
    const { identity, readiness, server } = driver;
    const { settings } = this.#config;
    const { dataDir, profile, tokenFile } = settings;
    const tls = settings.tls.certFile !== "";
    const content = describeAddress(identity, { address: server.address, tls, tokenFile, launch: this.#launch });
    await Promise.all([
      writeAddressFile(instanceFilePath(dataDir, identity.instanceId), content),
      markRunning(dataDir, profile, identity.instanceId),
    ]);
    readiness.become("serving");
    await writeAddressFile(addressFilePath(dataDir, profile), content);
    this.#messages.ready(content);
    this.#logger.info("serving", { address: server.address, tls, instanceId: identity.instanceId, dataDir });
    // After the first health check had its chance.
    setTimeout(() => void this.#settle(driver), SETTLE_DELAY_MS).unref();
  }

  async #settle(driver: Driver): Promise<void> {
    try {
      if (!driver.readiness.serving) return;
      const { dataDir, profile } = this.#config.settings;
      await removeAddressDrafts(addressFilePath(dataDir, profile));
      await driver.settle();
    } catch (error) {
      // Parts that close while they settle are no news.
      if (driver.readiness.serving) this.#logger.error("not all that can wait for the start was done", { error });
    }
  }

  #watchAddress({ identity }: Driver): Disposable {
    const { dataDir, profile, drainTimeout } = this.#config.settings;
    const file = addressFilePath(dataDir, profile);
    return watchOwnAddress({
      file,
      instanceId: identity.instanceId,
      intervalMs: ADDRESS_CHECK_INTERVAL_MS,
      onLost: () => this.#control.end({ reason: `${file} is gone or names another driver`, timeoutMs: drainTimeout }),
    });
  }

  #rotateLog(): Disposable {
    const { logFile: file } = this.#launch;
    if (file === undefined) return { [Symbol.dispose]: () => {} };
    return rotateLog({
      file,
      maxBytes: this.#config.settings.log.maxBytes,
      intervalMs: LOG_CHECK_INTERVAL_MS,
      onError: (error) => this.#logger.warn("the log can't be put aside", { error }),
    });
  }

  /** What fails here must not keep the driver from ending: clients find out by themselves. */
  async #withdraw({ identity, server }: Driver, claim: ProfileClaim): Promise<void> {
    const { dataDir, profile } = this.#config.settings;
    try {
      await withdrawAddressFile(addressFilePath(dataDir, profile), identity.instanceId);
      await unmarkRunning(dataDir, profile, identity.instanceId);
    } catch (error) {
      this.#logger.warn("the address can't be withdrawn", { error });
    }
    // The next driver needs it. Whoever is connected stays so.
    if (server.fixedPort) server.releasePort();
    claim[Symbol.dispose]();
  }

  #listen(): () => void {
    const { stopGrace } = this.#config.settings;
    process.on("uncaughtException", (error) => {
      this.#logger.error("an error that nobody expected", { error });
      this.#messages.failed(DriverError.from(error));
      this.#kill("its state is not known");
    });
    return onStopSignal(
      (signal) => this.#control.end({ reason: signal, timeoutMs: stopGrace }),
      (signal) => {
        if (this.#hurried) this.#kill("asked to stop once more");
        this.#hurried = true;
        this.#control.end({ reason: signal, timeoutMs: 0 });
      },
    );
  }

  /** `process.exit` joins libuv's threads, so it would wait, for ever it may be, for the statements that engines run on them. */
  #kill(why: string): void {
    this.#logger.error("the driver is killed", { why });
    this.#logger.flush();
    process.kill(process.pid, "SIGKILL");
  }
}
