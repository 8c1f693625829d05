import { randomUUID } from "node:crypto";
import type { Transport } from "../transport/transport.ts";
import { defaultPhaseTimeoutsMs, type LaunchOutcome, launch } from "./launch.ts";
import type { BackoffOptions, DriverProgram, EnsureDriverOptions, EnsureEvent } from "./options.ts";
import { profileHashOf, readProfile } from "./profile-fit.ts";
import { sendAway } from "./send-away.ts";
import { tryStartLock } from "./start-lock.ts";
import {
  type Assessment,
  assess,
  isMarkedRunning,
  isOfAnotherProfile,
  readStarts,
  type StartsRecord,
  writeStarts,
} from "./starts-record.ts";

/** What a start needs to know. */
export interface StartPlan {
  readonly dataDirectory: string;
  readonly profile: string;
  readonly program: DriverProgram;
  readonly phaseTimeoutsMs: EnsureDriverOptions["phaseTimeoutsMs"];
  readonly backoff: BackoffOptions;
  /** The driver that is to be replaced, over its proven connection. */
  readonly replaces: { readonly instanceId: string; readonly channel: Transport; readonly why: string } | undefined;
  /** Goes on where another client holds the lock: it has had its time, and may be stopped. */
  readonly withoutLock: boolean;
  /** Looks again once the lock is held; false where a start is no longer wanted. */
  readonly stillWanted: () => Promise<boolean>;
  /** Aborted when nobody waits for the start any more. */
  readonly abandoned: AbortSignal;
}

/**
 * `busy`: another client, or another call, starts one; `unwanted`: there was one when the lock was held; `backoff`: starts have
 * failed again and again, and it is too early for the next one.
 */
export type StartOutcome =
  | LaunchOutcome
  | { readonly kind: "busy" }
  | { readonly kind: "unwanted" }
  | ({ readonly kind: "backoff" } & Assessment);

/** Starts a driver under the profile's start lock. Runs to its end whoever still waits for it: the phases bound it. */
export async function attemptStart(plan: StartPlan, onEvent: (event: EnsureEvent) => void): Promise<StartOutcome> {
  const { dataDirectory, profile, program, backoff, replaces } = plan;
  using lock = await tryStartLock(dataDirectory, profile);
  if (lock === undefined && !plan.withoutLock) return { kind: "busy" };
  if (!(await plan.stillWanted())) return { kind: "unwanted" };
  const [record, profileHash] = await Promise.all([
    readStarts(dataDirectory, profile),
    readProfile(dataDirectory, profile).then(profileHashOf, () => undefined),
  ]);
  const now = Date.now();
  // A driver that is to be replaced runs: its mark says nothing.
  const mark = replaces === undefined && isMarkedRunning(dataDirectory, profile);
  // Whoever has mended the profile waits for nothing.
  const relevant = record && isOfAnotherProfile(record, profileHash) ? undefined : record;
  const { failures, reason, delayMs } = assess(relevant, mark, now, backoff);
  // Whoever goes on without the lock has waited already.
  if (delayMs > 0 && lock !== undefined) return { kind: "backoff", failures, reason, delayMs };
  const noted = {
    formatVersion: 1,
    failures,
    lastStart: now,
    outcome: "starting",
    lastReason: reason,
    profileHash,
  } as const;
  await write(noted);
  const outcome = await launch(
    {
      launchId: randomUUID(),
      dataDirectory,
      profile,
      program,
      phaseTimeoutsMs: { ...defaultPhaseTimeoutsMs, ...plan.phaseTimeoutsMs },
      replaces: replaces && {
        instanceId: replaces.instanceId,
        sendAway: () => sendAway(replaces.channel, replaces.why),
      },
      abandoned: plan.abandoned,
    },
    onEvent,
  );
  await note(outcome);
  return outcome;

  async function note({ kind, ...rest }: LaunchOutcome): Promise<void> {
    // What the start led to counts more than what is written of it.
    const keep = (next: StartsRecord) => write(next).catch(() => {});
    if (kind === "failed" && "failure" in rest) {
      const { driverReason, reason: failed, message } = rest.failure;
      const lastReason = `${driverReason ?? failed}: ${message}`;
      await keep({ ...noted, failures: failures + 1, outcome: "failed", lastReason });
      // The driver that was there before is the one that the record is about.
    } else if (kind === "lostRace" && record !== undefined) await keep(record);
    else await keep({ ...noted, outcome: "started" });
  }

  async function write(next: StartsRecord): Promise<void> {
    if (lock !== undefined) await writeStarts(dataDirectory, profile, next);
  }
}
