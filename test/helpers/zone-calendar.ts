import type { TimeUnit } from "../../src/engine/plan.ts";

/** What a zone's clock shows at an instant, as if it were UTC, in milliseconds. By ICU's formatter, not by its calendar. */
export function localMs(ms: number, zone: string): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en", {
      timeZone: zone,
      calendar: "iso8601",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

const formats = new Map<string, Intl.DateTimeFormat>();
const MINUTE = 60_000;
const DAY = 86_400_000;

/** The first instant of the period that holds an instant, found by going through the minutes. */
export function periodBegin(ms: number, zone: string, unit: TimeUnit, weekStart: number): number {
  if (unit === "second") return Math.floor(ms / 1000) * 1000;
  if (unit === "minute" || unit === "hour") return clockBegin(ms, zone, unit === "minute" ? MINUTE : 60 * MINUTE);
  const first = calendarBegin(localMs(ms, zone), unit, weekStart);
  // No zone is more than 15 hours from UTC.
  let instant = first - 15 * 60 * MINUTE;
  while (Math.floor(localMs(instant, zone) / DAY) * DAY < first) instant += 5 * MINUTE;
  return instant;
}

/** Back to where the clock shows another period or was set. */
function clockBegin(ms: number, zone: string, length: number): number {
  const offset = (at: number) => localMs(at, zone) - at;
  const period = (at: number) => Math.floor(localMs(at, zone) / length);
  let begin = Math.floor(ms / MINUTE) * MINUTE;
  while (offset(begin - MINUTE) === offset(ms) && period(begin - MINUTE) === period(ms)) begin -= MINUTE;
  return begin;
}

function calendarBegin(local: number, unit: TimeUnit, weekStart: number): number {
  const date = new Date(Math.floor(local / DAY) * DAY);
  if (unit === "week") {
    const weekday = ((date.getUTCDay() + 6) % 7) + 1;
    return date.getTime() - ((weekday - weekStart + 7) % 7) * DAY;
  }
  if (unit !== "day") date.setUTCDate(1);
  if (unit === "quarter") date.setUTCMonth(Math.floor(date.getUTCMonth() / 3) * 3);
  if (unit === "year") date.setUTCMonth(0);
  return date.getTime();
}
