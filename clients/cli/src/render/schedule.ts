import type { Schedule } from "../../../node/src/index.ts";
import { printable } from "./cell.ts";

const units: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** A schedule as the options of `drover schedule` say it. */
export function scheduleText(schedule: Schedule): string {
  if ("everyMs" in schedule) return `every ${spanText(schedule.everyMs)}`;
  return `at ${printable(schedule.cron)} (${printable(schedule.zone ?? "UTC")})`;
}

/** A span in the largest unit that keeps it whole. */
export function spanText(milliseconds: number): string {
  for (const [unit, ms] of units)
    if (milliseconds >= ms && milliseconds % ms === 0) return `${milliseconds / ms}${unit}`;
  return `${milliseconds}ms`;
}
