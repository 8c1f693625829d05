import { existsSync } from "node:fs";
import { join } from "node:path";
import { addressFilePath } from "../address-file.ts";
import { clientError } from "../errors.ts";
import { pause } from "../transport/pause.ts";
import type { FindOptions, FoundDriver } from "./finder.ts";
import { lookForHiddenHolder } from "./hidden-holder.ts";
import { look, type Place, type Sight } from "./look.ts";
import type { DriverProgram, EnsureDriverOptions, EnsureEvent } from "./options.ts";
import { isProcessOf, judgeProcess } from "./process-judgement.ts";
import { compareDriver, type DriverFit, readProfile, type WantedDriver } from "./profile-fit.ts";
import { resolveProgram, versionOf } from "./program.ts";
import { shareStart } from "./shared-start.ts";
import type { StartOutcome, StartPlan } from "./start-attempt.ts";
import { startFailed } from "./start-failure.ts";
import { type Assessment, defaultBackoff } from "./starts-record.ts";

const lookEveryMs = 25;
/** While nothing can be started for a while. */
const lookRarelyMs = 250;
/** The start lock costs more than a look. */
const lockEveryMs = 200;
const defaultUnresponsiveAfterMs = 10_000;
/** One look's share of a silence. A look that took longer was held up on this side: this process was stopped, for one. */
const maxLookMs = 3_000;
/** How long another client may keep the start lock without a driver to show for it. */
const startLockPatienceMs = 10_000;
/** How long somebody's replacement is waited for before the old driver will do. */
const replacementPatienceMs = 5_000;
const maxLostRacePauseMs = 1_000;

/** What a search is told. */
export interface SearchOptions
  extends Pick<
    EnsureDriverOptions,
    "program" | "start" | "phaseTimeoutsMs" | "backoff" | "unresponsiveAfterMs" | "onEvent"
  > {
  readonly place: Place;
}

/** One search for the profile's driver, from the first look to a connection; docs/lifecycle.md says how. */
export class Search {
  readonly #options: SearchOptions;
  readonly #find: FindOptions;
  readonly #startedAt = performance.now();
  /** Spread, so that not all who wait lose patience at once. */
  readonly #startLockPatienceMs = startLockPatienceMs * (1 + Math.random());
  #why = "";
  #silentMs = 0;
  #busySince: number | undefined;
  #replacingSince: number | undefined;
  #lostRaces = 0;
  #startAgainAt = 0;
  #obstacleSince: number | undefined;
  #program: DriverProgram | undefined;
  /** What this search has started, and what it has seen to be started. */
  #startedInstance: string | undefined;
  #freshInstance: string | undefined;
  /** A start has just succeeded: there is something to look at now. */
  #becameReady = false;
  #waitingTold = false;
  #passedOver = "";
  /** Why no replacement is tried again by this search, in words: the old driver goes on. */
  #noSuccessor = "";
  #over = false;
  /** What the listener of events threw. */
  #thrown: { readonly error: unknown } | undefined;
  /** Connections that a start closes when it is done. */
  readonly #handedOver = new WeakSet<object>();

  constructor(options: SearchOptions, find: FindOptions) {
    this.#options = options;
    this.#find = find;
  }

  async run(): Promise<FoundDriver> {
    try {
      const found = await this.#findOne();
      if (this.#thrown === undefined) return found;
      await found.channel[Symbol.asyncDispose]();
      throw this.#thrown.error;
    } finally {
      // What it has started goes on, and is told to nobody who has left.
      this.#over = true;
    }
  }

  async #findOne(): Promise<FoundDriver> {
    for (;;) {
      if (this.#thrown !== undefined) throw this.#thrown.error;
      const sight = await this.#look();
      const found = sight.kind === "serving" ? await this.#judge(sight) : undefined;
      if (found !== undefined) return found;
      if (sight.kind === "silent") await this.#mindSilence(sight);
      else if (sight.kind === "none") await this.#mindAbsence(sight);
      if (this.#becameReady) {
        this.#becameReady = false;
        continue;
      }
      await this.#rest();
    }
  }

  /**
   * Until it is time for another look: where there was no address file and none may be started yet, not before there is one.
   * A look costs a hundred times as much, and fifty clients that look take the driver the time in which it would start.
   */
  async #rest(): Promise<void> {
    const file = addressFilePath(this.#options.place);
    const absent = !existsSync(file);
    do {
      const restMs = Math.max(lookEveryMs, Math.min((this.#startAgainAt - performance.now()) / 8, lookRarelyMs));
      await pause(restMs * (0.75 + Math.random() / 2), this.#find.signal);
    } while (absent && performance.now() < this.#startAgainAt && !existsSync(file));
  }

  async #look(): Promise<Sight> {
    const begin = performance.now();
    const sight = await this.#lookAround();
    this.#silentMs = sight.kind === "silent" ? this.#silentMs + Math.min(performance.now() - begin, maxLookMs) : 0;
    if (sight.kind !== "serving" && sight.why !== "") this.#why = sight.why;
    return sight;
  }

  /** Somebody has the profile's lock where a race was lost: without an address it can still be found if it hangs. */
  async #lookAround(): Promise<Sight> {
    const { place } = this.#options;
    const { signal } = this.#find;
    const sight = await look(place, signal);
    if (sight.kind !== "none" || this.#lostRaces === 0) return sight;
    return (await lookForHiddenHolder(place, signal)) ?? sight;
  }

  /** Takes a driver that serves, unless another one is to take its place first. */
  async #judge(sight: Extract<Sight, { kind: "serving" }>): Promise<FoundDriver | undefined> {
    const { channel, info } = sight.found;
    try {
      const { why, successor } = await this.#weigh(sight);
      if (successor === undefined) return this.#connected(sight, why);
      this.#passOver(info.instanceId, why);
      if (performance.now() >= this.#startAgainAt) {
        await this.#replace(sight.found, why, successor);
        return undefined;
      }
    } catch (error) {
      if (!this.#handedOver.has(channel)) await channel[Symbol.asyncDispose]();
      throw error;
    }
    await channel[Symbol.asyncDispose]();
    return undefined;
  }

  /** What differs from what is wanted, and the program of the successor that is to take its place first. */
  async #weigh({ found, file }: Extract<Sight, { kind: "serving" }>) {
    const { fit, program } = await this.#fit(found);
    // Where a program is not of the version that its files say, the next one would be no other.
    const fresh = file.instanceId === this.#freshInstance;
    if (!fit.replaces || program === undefined || !this.#mayStart || fresh) return { why: fit.why };
    if (this.#noSuccessor !== "") return { why: `${fit.why}; ${this.#noSuccessor}` };
    this.#replacingSince ??= performance.now();
    if (performance.now() - this.#replacingSince > replacementPatienceMs)
      return { why: `${fit.why}; its successor takes long` };
    return { why: fit.why, successor: program };
  }

  async #fit({ info }: FoundDriver): Promise<{ fit: DriverFit; program: DriverProgram | undefined }> {
    const { profile, dataDirectory } = this.#options.place;
    // Without a program here there is no version that could be wanted.
    const program = await this.#resolveProgram().catch(() => undefined);
    const stands = await readProfile(dataDirectory, profile).catch(() => undefined);
    if (stands === undefined) return { fit: { usable: true, replaces: false, why: "" }, program };
    const version = program && (await versionOf(program));
    const wanted: WantedDriver = { profile, version, ...stands };
    return { fit: compareDriver(info, wanted), program };
  }

  async #replace(old: FoundDriver, why: string, program: DriverProgram): Promise<void> {
    const { channel, info } = old;
    const stillWanted = async () => {
      const sight = await look(this.#options.place, AbortSignal.timeout(10_000));
      if (sight.kind !== "serving") return false;
      await sight.found.channel[Symbol.asyncDispose]();
      return sight.file.instanceId === info.instanceId;
    };
    const outcome = await this.#attempt(program, { instanceId: info.instanceId, channel, why }, stillWanted);
    if (outcome.kind === "failed") this.#noSuccessor = `its successor did not start: ${outcome.failure.message}`;
    if (outcome.kind === "backoff") this.#noSuccessor = `no successor is tried: ${inWords(outcome)}`;
    // The successor had its chance; what it waits for may take longer than it could.
    if (outcome.kind === "lostRace") this.#passOver(info.instanceId, "another driver was faster");
  }

  async #mindAbsence({ why, obstacle }: Extract<Sight, { kind: "none" }>): Promise<void> {
    if (!this.#mayStart) {
      const message = `no driver of the profile ${JSON.stringify(this.#options.place.profile)} serves${why === "" ? "" : `: ${why}`}`;
      throw clientError("DRIVER_NOT_FOUND", message, { metadata: { profile: this.#options.place.profile } });
    }
    if (why !== "") this.#passOver(undefined, why);
    // A driver has the lock, and this client can't make itself known to it, or it can't to this client.
    this.#obstacleSince = obstacle && this.#lostRaces > 0 ? (this.#obstacleSince ?? performance.now()) : undefined;
    if (obstacle && performance.now() - (this.#obstacleSince ?? Number.POSITIVE_INFINITY) > this.#unresponsiveAfterMs)
      throw obstacle;
    await this.#startOne((kind) => kind === "none");
  }

  /** Unless something else is seen once the lock is held. Undefined where it is too early for a start. */
  async #startOne(mayStart: (seen: Sight["kind"]) => boolean): Promise<StartOutcome | undefined> {
    // Somebody has a lock and no address yet, or no longer; or starts fail: only looking helps for now.
    if (performance.now() < this.#startAgainAt) return undefined;
    const program = await this.#resolveProgram();
    const stillWanted = async () => {
      const sight = await look(this.#options.place, AbortSignal.timeout(10_000));
      if (sight.kind === "serving") await sight.found.channel[Symbol.asyncDispose]();
      return mayStart(sight.kind);
    };
    const outcome = await this.#attempt(program, undefined, stillWanted);
    if (outcome.kind === "failed") throw startFailed(outcome.failure);
    if (outcome.kind === "backoff") this.#backOff(outcome);
    return outcome;
  }

  /** Tells why the next start waits; at once with an error where the caller can't. */
  #backOff({ delayMs, failures, reason }: Assessment): void {
    const { dataDirectory, profile } = this.#options.place;
    this.#startAgainAt = performance.now() + delayMs;
    this.#emit({ type: "backoff", delayMs, failures, lastReason: reason });
    this.#why = inWords({ delayMs, failures, reason });
    if (delayMs <= (this.#find.remainingMs?.() ?? Number.POSITIVE_INFINITY)) return;
    throw clientError("DRIVER_CRASH_LOOP", `${this.#why}; the logs are in ${join(dataDirectory, "logs", profile)}`, {
      metadata: { profile, failures: String(failures), delayMs: String(Math.round(delayMs)), lastReason: reason },
    });
  }

  async #attempt(
    program: DriverProgram,
    replaces: StartPlan["replaces"],
    stillWanted: () => Promise<boolean>,
  ): Promise<StartOutcome> {
    const { place, phaseTimeoutsMs, backoff } = this.#options;
    const { dataDirectory, profile } = place;
    const plan = {
      ...{ dataDirectory, profile, program, phaseTimeoutsMs, replaces, stillWanted },
      backoff: { ...defaultBackoff, ...backoff },
      withoutLock: replaces === undefined && this.#waitedLong,
    };
    const { own, work } = shareStart(plan, (event) => this.#emit(event));
    if (!own) {
      this.#tellWaiting("another call starts the driver");
      await replaces?.channel[Symbol.asyncDispose]();
    } else if (replaces !== undefined) this.#handedOver.add(replaces.channel);
    const outcome = await work.join(this.#find.signal);
    this.#note(outcome, own);
    return outcome;
  }

  #note(outcome: StartOutcome, own: boolean): void {
    const now = performance.now();
    this.#busySince = outcome.kind === "busy" ? (this.#busySince ?? now) : undefined;
    if (outcome.kind === "busy") {
      this.#startAgainAt = now + lockEveryMs * (0.75 + Math.random() / 2);
      this.#tellWaiting("another client starts the driver");
    } else if (outcome.kind === "lostRace")
      this.#startAgainAt = now + Math.min(lookEveryMs * 2 ** this.#lostRaces++, maxLostRacePauseMs);
    else if (outcome.kind === "ready") {
      this.#becameReady = true;
      this.#freshInstance = outcome.instanceId;
      if (own) this.#startedInstance = outcome.instanceId;
    } else if (outcome.kind === "failed")
      this.#emit({ type: "failed", launchId: outcome.failure.launchId, failure: outcome.failure });
  }

  /** A driver that hangs is ended by whoever can prove that it is that process. */
  async #mindSilence({ file, why, writer }: Extract<Sight, { kind: "silent" }>): Promise<void> {
    if (this.#silentMs < this.#unresponsiveAfterMs) return;
    const metadata = { instanceId: file.instanceId, pid: String(file.pid), address: file.address };
    const judgement = await judgeProcess(file);
    if (judgement === "gone") return;
    const hangs = () => clientError("DRIVER_UNRESPONSIVE", `${why}, and it can't be ended from here`, { metadata });
    if (!this.#mayStart) throw hangs();
    if (judgement === "unknown" || !(await isProcessOf(writer, file.pid))) {
      // What is silent there may be somebody else. A driver that is gone has left the lock, which a new one then gets.
      const outcome = await this.#startOne((kind) => kind !== "serving");
      if (outcome?.kind === "lostRace") throw hangs();
      return;
    }
    try {
      process.kill(file.pid, "SIGKILL");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ESRCH") return;
      throw clientError("DRIVER_UNRESPONSIVE", `${why}, and this user may not end it`, { cause, metadata });
    }
    this.#emit({ type: "killed", pid: file.pid, why });
    this.#silentMs = 0;
  }

  #connected({ found, file }: Extract<Sight, { kind: "serving" }>, why: string): FoundDriver {
    this.#emit({
      type: "connected",
      instanceId: file.instanceId,
      address: file.address,
      started: file.instanceId === this.#startedInstance,
      differs: why,
      elapsedMs: performance.now() - this.#startedAt,
    });
    return found;
  }

  /** Each reason once in a row. */
  #passOver(instanceId: string | undefined, why: string): void {
    if (this.#passedOver === why) return;
    this.#passedOver = why;
    this.#emit({ type: "passedOver", instanceId, why });
  }

  async #resolveProgram(): Promise<DriverProgram> {
    this.#program ??= await resolveProgram(this.#options.program);
    return this.#program;
  }

  #tellWaiting(why: string): void {
    if (this.#waitingTold) return;
    this.#waitingTold = true;
    this.#emit({ type: "waiting", why });
  }

  /** The latest reason why there was none yet; for the error of a deadline. */
  get why(): string {
    return this.#why;
  }

  get #waitedLong(): boolean {
    return this.#busySince !== undefined && performance.now() - this.#busySince > this.#startLockPatienceMs;
  }

  get #unresponsiveAfterMs(): number {
    return this.#options.unresponsiveAfterMs ?? defaultUnresponsiveAfterMs;
  }

  get #mayStart(): boolean {
    return this.#options.start !== false && this.#find.start !== false;
  }

  /** A listener that throws ends this search, not the start that others may wait for. */
  #emit(event: EnsureEvent): void {
    if (this.#over) return;
    if (event.type === "starting") this.#why = "a driver is being started";
    if (event.type === "phase") this.#why = `a driver is being started, and is in the phase ${event.phase}`;
    if (event.type === "waiting") this.#why = event.why;
    try {
      this.#options.onEvent?.(event);
    } catch (error) {
      this.#over = true;
      this.#thrown = { error };
    }
  }
}

function inWords({ failures, reason, delayMs }: Assessment): string {
  return `${failures} starts in a row have failed, the last one with: ${reason}; the next one is in ${Math.ceil(delayMs / 1000)} s`;
}
