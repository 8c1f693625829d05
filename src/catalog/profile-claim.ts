import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { folderMode } from "../config/file-modes.ts";
import { readSmallFile } from "../config/small-file.ts";
import { DriverError } from "../errors/driver-error.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { tryLock } from "./sqlite/lock-file.ts";

export interface ProfileClaimOptions {
  readonly dataDirectory: string;
  readonly profile: string;
}

const POLL_MS = 20;
/** Whoever only looks whether a lock is free has it for a moment, too; on a busy machine that process may be held up just then. */
const TRY_MS = 500;

/**
 * A process's right to be the profile's one driver on the data directory, until it is disposed or dies: drivers that start
 * together find no address file, so that can't decide. The lock files stay, since whoever removed one might remove one that
 * another process has just locked.
 */
export class ProfileClaim implements Disposable {
  readonly #options: ProfileClaimOptions;
  #profile: DatabaseSync | undefined;
  #next: DatabaseSync | undefined;

  private constructor(options: ProfileClaimOptions) {
    this.#options = options;
  }

  /** Makes this process the profile's driver. Throws ALREADY_RUNNING. */
  static async take(options: ProfileClaimOptions): Promise<ProfileClaim> {
    const claim = await ProfileClaim.#prepare(options);
    if (await claim.#lockProfile(TRY_MS)) return claim;
    throw await claim.#lost("starts or runs");
  }

  /** Makes this process the one that may take over from the profile's driver. Throws ALREADY_RUNNING. */
  static async succeed(options: ProfileClaimOptions): Promise<ProfileClaim> {
    const claim = await ProfileClaim.#prepare(options);
    claim.#next = claim.#lock(".next");
    if (claim.#next === undefined) throw await claim.#lost("is about to take over");
    return claim;
  }

  /** Waits until the profile's driver lets go, and takes its place. Throws ALREADY_RUNNING after the time, or the signal's reason. */
  async takeOver({ timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<void> {
    if (await this.#lockProfile(timeoutMs, signal)) return;
    throw await this.#lost(`did not let go for ${timeoutMs / 1000} s: it runs`);
  }

  /** The address is published: the next successor may start. */
  published(): void {
    this.#next?.close();
    this.#next = undefined;
  }

  [Symbol.dispose](): void {
    this.published();
    this.#profile?.close();
    this.#profile = undefined;
  }

  static async #prepare(options: ProfileClaimOptions): Promise<ProfileClaim> {
    await prepareDataDirectory(options.dataDirectory);
    await mkdir(join(options.dataDirectory, "drivers"), { recursive: true, mode: folderMode() });
    return new ProfileClaim(options);
  }

  async #lockProfile(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    // Tries are counted, not time: a process that was held up itself has not tried for so long.
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      signal?.throwIfAborted();
      this.#profile ??= this.#lock("");
      if (this.#profile !== undefined) return true;
      if (waitedMs >= timeoutMs) return false;
      await setTimeout(POLL_MS);
    }
  }

  #lock(which: "" | ".next"): DatabaseSync | undefined {
    const { dataDirectory, profile } = this.#options;
    return tryLock(join(dataDirectory, "drivers", `${profile}${which}.lock`));
  }

  async #lost(what: string): Promise<DriverError> {
    const { dataDirectory, profile } = this.#options;
    const file = join(dataDirectory, "drivers", `${profile}.json`);
    return new DriverError(
      "ALREADY_RUNNING",
      `another driver of the profile ${JSON.stringify(profile)} ${what} on ${dataDirectory}${await lastSeen(file)}`,
      { metadata: { profile, dataDirectory, file } },
    );
  }
}

/** Who that may be, for people: a driver that starts has no address file yet, and finds the one of a dead driver there. */
async function lastSeen(file: string): Promise<string> {
  try {
    const { instanceId, pid, address } = JSON.parse(await readSmallFile(file));
    return `; ${file} names driver ${String(instanceId)} (pid ${String(pid)}) at ${String(address)}`;
  } catch {
    return "";
  }
}
