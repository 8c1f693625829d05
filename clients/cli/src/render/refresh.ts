import type { Increment, RefreshStatus } from "../../../node/src/index.ts";
import { printable } from "./cell.ts";
import { scheduleText, spanText } from "./schedule.ts";
import { plural, timeText } from "./units.ts";

/** How a dataset is kept up to date, for a description. */
export function refreshFacts(
  increment: Increment | undefined,
  status: RefreshStatus | undefined,
): readonly [string, string][] {
  const facts: [string, string][] = [];
  if (increment !== undefined) facts.push(["increments", incrementText(increment)]);
  if (status === undefined) return facts;
  const { schedule, nextTime, lastStartTime, lastEndTime, lastError, failures, freshTime } = status;
  facts.push(["fresh", `as of ${timeText(freshTime)}`]);
  if (schedule !== undefined) facts.push(["schedule", `${scheduleText(schedule)}, next ${timeText(nextTime)}`]);
  if (lastStartTime !== undefined) {
    const end = lastEndTime === undefined ? "has not ended" : `ended ${timeText(lastEndTime)}`;
    facts.push(["refreshed", `began ${timeText(lastStartTime)}, ${end}`]);
  }
  if (lastError !== undefined) {
    const often = failures > 1 ? ` (${plural(failures, "time")} in a row)` : "";
    facts.push(["failed", `${lastError.reason}: ${printable(lastError.message)}${often}`]);
  }
  return facts;
}

function incrementText({ watermark, overlapMs, overlapAmount, keys = [] }: Increment): string {
  const overlap = overlapMs !== undefined ? spanText(overlapMs) : overlapAmount;
  const less = overlap === undefined ? "" : ` less ${overlap}`;
  const by = keys.length === 0 ? "" : `, key ${keys.map(printable).join(", ")}`;
  return `from the greatest ${printable(watermark)}${less}${by}`;
}
