import type { AddressFileLocation } from "../address-file.ts";
import type { ConnectionOptions } from "../transport/open-client.ts";

/** What `ensureDriver` takes. Without an address it finds the profile's driver, and starts one where there is none. */
export interface EnsureDriverOptions extends AddressFileLocation, ConnectionOptions {
  /** A driver outright, `host:port`: it is probed and tried again, and never started. */
  readonly address?: string | undefined;
  readonly token?: string | undefined;
  /** Default: what the address file says; for an address, none. */
  readonly tokenFile?: string | undefined;
  /**
   * The driver's program, with its first arguments. Default: `$DROVER_DRIVER`, else the package `@drover/driver` as this
   * package's own resolution finds it.
   */
  readonly program?: string | readonly string[] | undefined;
  /** The lease that this client holds while it is connected, by its name; `false` for none. Default: the program's name and pid. */
  readonly lease?: { readonly name: string } | false | undefined;
  /** `false`: never start a driver, and never replace one. Default: true. */
  readonly start?: boolean | undefined;
  /** How long each phase of a start may take, in milliseconds. Defaults: docs/lifecycle.md. */
  readonly phaseTimeoutsMs?: Partial<Readonly<Record<StartPhase, number>>> | undefined;
  /** When a profile's starts fail again and again. Defaults: docs/lifecycle.md. */
  readonly backoff?: Partial<BackoffOptions> | undefined;
  /** How long a driver that takes connections may stay silent before it counts as hung. Default: 10 s. */
  readonly unresponsiveAfterMs?: number | undefined;
  /** Told what happens on the way to a driver, in order. */
  readonly onEvent?: ((event: EnsureEvent) => void) | undefined;
}

/** What the driver does one after the other when it starts. */
export type StartPhase = "process" | "configuration" | "catalog" | "engine" | "serving";

/** When to wait before the next start. */
export interface BackoffOptions {
  /** Failures in a row that are not waited for. Default: 3. */
  readonly freeFailures: number;
  /** The first wait; doubled with each failure more. Default: 1 s. */
  readonly firstDelayMs: number;
  /** Default: 30 s. */
  readonly maxDelayMs: number;
  /** A driver that lived so long was no failure. Default: 60 s. */
  readonly healthyAfterMs: number;
}

/** The driver's program and who said so. */
export interface DriverProgram {
  /** The command with its first arguments. */
  readonly command: readonly string[];
  readonly origin: "option" | "DROVER_DRIVER" | "package";
  /** Its product version; undefined where its files do not say it. */
  readonly version: string | undefined;
}

/** A step on the way to a driver. */
export type EnsureEvent =
  /** A running driver was looked at and is not the one; `why` in words. */
  | { readonly type: "passedOver"; readonly instanceId: string | undefined; readonly why: string }
  /** Another client starts a driver. */
  | { readonly type: "waiting"; readonly why: string }
  /** Starts failed again and again: the next one waits. */
  | { readonly type: "backoff"; readonly delayMs: number; readonly failures: number; readonly lastReason: string }
  /** A driver that hangs was killed. */
  | { readonly type: "killed"; readonly pid: number; readonly why: string }
  | {
      readonly type: "starting";
      readonly launchId: string;
      readonly program: DriverProgram;
      readonly logFile: string;
      /** The instance that it is to replace. */
      readonly replaces: string | undefined;
    }
  | { readonly type: "phase"; readonly launchId: string; readonly phase: StartPhase; readonly elapsedMs: number }
  | { readonly type: "lostRace"; readonly launchId: string }
  /** A start failed. Where it was to replace a driver, that one goes on. */
  | { readonly type: "failed"; readonly launchId: string; readonly failure: StartFailure }
  | {
      readonly type: "connected";
      readonly instanceId: string;
      readonly address: string;
      /** Whether this call started it. */
      readonly started: boolean;
      /** Why it is not what was asked for in every point; empty if it is. */
      readonly differs: string;
      readonly elapsedMs: number;
    };

/** Why a start failed, as the error's `start`. */
export interface StartFailure {
  readonly reason: StartFailureReason;
  readonly launchId: string;
  readonly phase: StartPhase;
  /** Of the process; null where a signal ended it or it was not started at all. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** What the driver itself said: a reason of docs/errors.md and a message. */
  readonly driverReason: string | undefined;
  readonly message: string;
  /** The first exception in the log with its stack, at most 8 KiB; empty without one. */
  readonly firstException: string;
  /** The last lines of the log, 20 at most. */
  readonly lastLines: readonly string[];
  readonly logFile: string;
  readonly program: DriverProgram;
}

/**
 * `SPAWN_FAILED`: there was no process. `REFUSED`: the driver said why it can't start. `EXITED`: it ended without a word.
 * `PHASE_TIMEOUT`: a phase took too long and it was killed. `LOG_OVERFLOW`: it wrote too much before it served.
 */
export type StartFailureReason = "SPAWN_FAILED" | "REFUSED" | "EXITED" | "PHASE_TIMEOUT" | "LOG_OVERFLOW";
