import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm, stat } from "node:fs/promises";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { digestLog, type LogDigest, openLaunchLog } from "./launch-log.ts";
import { type LaunchMessage, readLaunchMessages } from "./launch-messages.ts";
import type { DriverProgram, EnsureEvent, StartFailure, StartFailureReason, StartPhase } from "./options.ts";

/** What a launch needs to know. */
export interface LaunchPlan {
  readonly launchId: string;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly profile: string;
  readonly program: DriverProgram;
  readonly phaseTimeoutsMs: Readonly<Record<StartPhase, number>>;
  /** The instance that it is to replace, and what sends that one away once the new driver only waits for its lock. */
  readonly replaces: { readonly instanceId: string; sendAway(): Promise<void> } | undefined;
  /** Aborted when nobody waits for it any more: from then on it does not keep this process from ending. */
  readonly abandoned: AbortSignal;
}

/** How a launch ended. */
export type LaunchOutcome =
  | { readonly kind: "ready"; readonly instanceId: string }
  | { readonly kind: "lostRace" }
  | { readonly kind: "failed"; readonly failure: StartFailure };

export const defaultPhaseTimeoutsMs: Readonly<Record<StartPhase, number>> = {
  process: 10_000,
  configuration: 5_000,
  catalog: 30_000,
  engine: 30_000,
  serving: 10_000,
};

/** How long a successor waits for the lock of the driver that it replaces. */
const takeOverTimeoutMs = 30_000;
const maxLogBytes = 64 * 2 ** 20;
const logCheckEveryMs = 250;
/** After the messages have ended, how long the process may take to be gone. */
const exitTimeoutMs = 2_000;
const maxGistChars = 300;

/** Starts a driver and follows it until it serves, has lost the race, or has failed. Bounded by the limits of its phases. */
export async function launch(plan: LaunchPlan, onEvent: (event: EnsureEvent) => void): Promise<LaunchOutcome> {
  const { dataDirectory, profile, launchId, program, replaces } = plan;
  await using log = await openLaunchLog(dataDirectory, profile, launchId);
  onEvent({ type: "starting", launchId, program, logFile: log.path, replaces: replaces?.instanceId });
  const child = startProcess(plan, log);
  const watched = new WatchedLaunch(plan, child, log.path, onEvent);
  const outcome = await watched.outcome();
  if (outcome.kind === "lostRace") {
    onEvent({ type: "lostRace", launchId });
    // It says nothing, and many of them would push out the log of the driver that runs.
    await rm(log.path, { force: true });
  }
  return outcome;
}

function startProcess(plan: LaunchPlan, log: { readonly path: string; readonly descriptor: number }): ChildProcess {
  const { dataDirectory, profile, launchId, program, replaces } = plan;
  const [file = "", ...args] = program.command;
  const place = ["--data-dir", dataDirectory, "--profile", profile];
  const start = ["--launch-id", launchId, "--launch-fd", "3", "--log-file", log.path];
  const instead = replaces === undefined ? [] : ["--replaces", replaces.instanceId];
  return spawn(file, [...args, "serve", ...place, ...start, ...instead], {
    // A session of its own: what ends this process's terminal or group does not end the driver.
    detached: true,
    cwd: dataDirectory,
    env: scrubbedEnvironment(process.env),
    stdio: ["ignore", log.descriptor, log.descriptor, "pipe"],
  });
}

const OF_THE_USER = /^(PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|XDG_.*)$/;
/** How the machine reaches the network: without it a registry behind a company's proxy or certificate answers nobody. */
const OF_THE_NETWORK = /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR|(https?|no)_proxy|(HTTPS?|NO)_PROXY)$/;

/** Settings come from the profile only: whichever app server starts the driver, it is the same one. */
function scrubbedEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => OF_THE_USER.test(name) || OF_THE_NETWORK.test(name)),
  );
}

/** One launch while it is followed. */
class WatchedLaunch {
  readonly #plan: LaunchPlan;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #onEvent: (event: EnsureEvent) => void;
  readonly #exited: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
  readonly #ended = new AbortController();
  #spawnError: NodeJS.ErrnoException | undefined;
  #phase: StartPhase = "process";
  #phaseTimer: NodeJS.Timeout | undefined;
  #killed: { readonly reason: StartFailureReason; readonly message: string } | undefined;
  readonly #startedAt = performance.now();

  constructor(plan: LaunchPlan, child: ChildProcess, logFile: string, onEvent: (event: EnsureEvent) => void) {
    this.#plan = plan;
    this.#child = child;
    this.#logFile = logFile;
    this.#onEvent = onEvent;
    child.on("error", (error) => {
      this.#spawnError ??= error;
    });
    this.#exited =
      child.pid === undefined
        ? Promise.resolve([null, null])
        : once(child, "exit").then(([code, signal]) => [code, signal]);
  }

  async outcome(): Promise<LaunchOutcome> {
    const pipe = this.#child.stdio[3] as Socket;
    const { abandoned } = this.#plan;
    const abandon = () => {
      this.#child.unref();
      pipe.unref();
    };
    abandoned.addEventListener("abort", abandon, { once: true });
    try {
      if (abandoned.aborted) abandon();
      this.#limit(this.#plan.phaseTimeoutsMs.process);
      void this.#watchLog();
      // A process that is gone while something that it started keeps the pipe open says nothing more.
      void this.#exited.then(() => sleep(100, undefined, { ref: false })).then(() => pipe.destroy());
      for await (const message of readLaunchMessages(pipe, this.#plan.launchId)) {
        const outcome = await this.#take(message);
        if (outcome !== undefined) return outcome;
      }
      return await this.#failure("EXITED", undefined);
    } finally {
      abandoned.removeEventListener("abort", abandon);
      clearTimeout(this.#phaseTimer);
      this.#ended.abort();
      pipe.destroy();
      // The driver lives on when this process ends.
      this.#child.unref();
    }
  }

  async #take(message: LaunchMessage): Promise<LaunchOutcome | undefined> {
    const { launchId, phaseTimeoutsMs, replaces } = this.#plan;
    switch (message.event) {
      case "phase":
        this.#phase = message.phase;
        this.#limit(phaseTimeoutsMs[message.phase] ?? phaseTimeoutsMs.serving);
        this.#onEvent({
          type: "phase",
          launchId,
          phase: message.phase,
          elapsedMs: performance.now() - this.#startedAt,
        });
        return undefined;
      case "standby":
        this.#limit(takeOverTimeoutMs + phaseTimeoutsMs.serving);
        // Where it can't be sent away it may have gone by itself: the lock tells.
        await replaces?.sendAway().catch(() => {});
        return undefined;
      case "ready":
        return { kind: "ready", instanceId: message.instanceId };
      case "lostRace":
        return { kind: "lostRace" };
      case "failed":
        return this.#failure("REFUSED", message);
    }
  }

  #limit(limitMs: number): void {
    clearTimeout(this.#phaseTimer);
    this.#phaseTimer = setTimeout(() => {
      this.#kill("PHASE_TIMEOUT", `the phase ${this.#phase} took more than ${limitMs} ms`);
    }, limitMs).unref();
  }

  async #watchLog(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await sleep(logCheckEveryMs, undefined, { signal, ref: false }).catch(() => {});
      const { size } = await stat(this.#logFile).catch(() => ({ size: 0 }));
      if (!signal.aborted && size > maxLogBytes)
        return this.#kill("LOG_OVERFLOW", `it wrote more than ${maxLogBytes} bytes of log before it served`);
    }
  }

  /** Ends it for a reason that counts as that of the failure. */
  #kill(reason: StartFailureReason, message: string): void {
    this.#killed ??= { reason, message };
    this.#killGroup();
  }

  /** With whatever it has started: it leads a process group of its own. */
  #killGroup(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // It was faster.
    }
  }

  async #failure(
    assumed: StartFailureReason,
    said: { readonly reason: string; readonly message: string } | undefined,
  ): Promise<LaunchOutcome> {
    const phase = this.#phase;
    const [exitCode, signal] = await this.#end(said !== undefined);
    const reason = this.#killed?.reason ?? (this.#spawnError === undefined ? assumed : "SPAWN_FAILED");
    const { launchId, program } = this.#plan;
    const digest = await digestLog(this.#logFile);
    const end = `it ended ${signal === null ? `with exit code ${exitCode}` : `by ${signal}`} without a word`;
    const message =
      this.#killed?.message ??
      (this.#spawnError && spawnFailure(this.#spawnError, program)) ??
      said?.message ??
      [end, gist(digest)].filter((part) => part !== "").join("; its log says: ");
    const driverReason = this.#killed === undefined ? said?.reason : undefined;
    return {
      kind: "failed",
      failure: {
        reason,
        launchId,
        phase,
        exitCode,
        signal,
        driverReason,
        message,
        ...digest,
        logFile: this.#logFile,
        program,
      },
    };
  }

  /** Waits for the process's end; one that has said its last word and stays is killed, and what it said is why it failed. */
  async #end(hasSaid: boolean): Promise<readonly [code: number | null, signal: string | null]> {
    if (hasSaid) clearTimeout(this.#phaseTimer);
    const tooLate = () => (hasSaid ? this.#killGroup() : this.#kill("EXITED", "it neither served nor ended"));
    const late = setTimeout(tooLate, exitTimeoutMs).unref();
    try {
      return await this.#exited;
    } finally {
      clearTimeout(late);
    }
  }
}

/** What a person reads first of a log. */
function gist({ firstException, lastLines }: LogDigest): string {
  return (firstException.split("\n")[0] || lastLines.at(-1) || "").slice(0, maxGistChars);
}

function spawnFailure(error: NodeJS.ErrnoException, { command: [file], origin }: DriverProgram): string {
  const named =
    origin === "package"
      ? "of the package @drover/driver"
      : `named by ${origin === "option" ? "the option `program`" : origin}`;
  if (error.code === "ENOENT") return `the program ${file}, ${named}, is not there, or what it runs on is not`;
  if (error.code === "EACCES") return `the program ${file}, ${named}, may not be run by this user`;
  return error.message;
}
