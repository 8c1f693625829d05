import { Cron } from "croner";
import { DriverError } from "../../errors/driver-error.ts";
import type { JsonObject } from "../../operations/model.ts";

/** When a dataset is refreshed by itself: every so often, or at the times of a cron expression by the clock of a zone. */
export type Schedule = { readonly everyMs: number } | { readonly cron: string; readonly zone: string };

const MIN_EVERY_MS = 1_000;
const MAX_EVERY_MS = 366 * 86_400_000;
const FIRST_BACKOFF_MS = 60_000;
const MAX_BACKOFF_MS = 3_600_000;

/** Throws INVALID_SCHEDULE for one that can't be read or never comes. */
export function checkSchedule(schedule: Schedule, now: Date): void {
  if ("everyMs" in schedule) {
    const { everyMs } = schedule;
    if (everyMs >= MIN_EVERY_MS && everyMs <= MAX_EVERY_MS) return;
    throw invalid(`${everyMs / 1_000} s are not between 1 second and 366 days`);
  }
  if (nextTime(schedule, now) === undefined) throw invalid(`${JSON.stringify(schedule.cron)} never comes`);
}

/** The first time behind `after`; of an interval counted from `from`, which was due, so that it keeps its pace. */
export function nextTime(schedule: Schedule, after: Date, from: Date = after): Date | undefined {
  if ("everyMs" in schedule) {
    const { everyMs } = schedule;
    const behind = Math.max(0, after.getTime() - from.getTime());
    return new Date(from.getTime() + (Math.floor(behind / everyMs) + 1) * everyMs);
  }
  try {
    const cron = new Cron(schedule.cron, { timezone: schedule.zone, paused: true, mode: "5-or-6-parts" });
    return cron.nextRun(after) ?? undefined;
  } catch (error) {
    throw invalid(`${JSON.stringify(schedule.cron)} in ${JSON.stringify(schedule.zone)}: ${(error as Error).message}`);
  }
}

/** How long nobody tries again after so many failures in a row. */
export function backoffMs(failures: number): number {
  return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(20, Math.max(0, failures - 1)));
}

/**
 * When to try again after so many failures in a row: later each time. What may mend itself is tried before the schedule wants it;
 * what somebody must mend is not.
 */
export function nextAfterFailure(
  schedule: Schedule,
  { failures, now, due, retryable }: { failures: number; now: Date; due: Date; retryable: boolean },
): Date | undefined {
  const again = new Date(now.getTime() + backoffMs(failures));
  const regular = nextTime(schedule, now, due);
  if (retryable || regular === undefined) return again;
  return regular > again ? regular : again;
}

export function scheduleJson(schedule: Schedule): JsonObject {
  return { ...schedule };
}

/** Undefined for one that only a newer driver understands. */
export function scheduleFromJson(json: JsonObject | undefined): Schedule | undefined {
  if (json === undefined) return undefined;
  const { everyMs, cron, zone } = json;
  if (typeof everyMs === "number") return { everyMs };
  return typeof cron === "string" && typeof zone === "string" ? { cron, zone } : undefined;
}

function invalid(why: string): DriverError {
  return new DriverError("INVALID_SCHEDULE", `the schedule can't be kept: ${why}`);
}
