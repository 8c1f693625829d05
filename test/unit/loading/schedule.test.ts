import { describe, expect, it } from "vitest";
import {
  backoffMs,
  checkSchedule,
  nextAfterFailure,
  nextTime,
  scheduleFromJson,
} from "../../../src/loading/refresh/schedule.ts";

const at = (text: string) => new Date(text);
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

describe("the next time of a schedule", () => {
  it("of an interval keeps its pace, and makes up what was missed once", () => {
    const quarter = { everyMs: 15 * MINUTE_MS };
    expect(nextTime(quarter, at("2026-03-01T10:00:00Z"))).toEqual(at("2026-03-01T10:15:00Z"));
    // Due at 10:00, done at 10:02.
    const due = at("2026-03-01T10:00:00Z");
    expect(nextTime(quarter, at("2026-03-01T10:02:00Z"), due)).toEqual(at("2026-03-01T10:15:00Z"));
    // Due at 10:00, done the next day.
    expect(nextTime(quarter, at("2026-03-02T11:07:00Z"), due)).toEqual(at("2026-03-02T11:15:00Z"));
    // Exactly when it is due again.
    expect(nextTime(quarter, at("2026-03-01T10:15:00Z"), due)).toEqual(at("2026-03-01T10:30:00Z"));
  });

  it.each([
    ["0 6 * * 1-5", "UTC", "2026-03-06T06:00:00Z", "2026-03-09T06:00:00Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z"],
    // That night there is no half past two in Berlin.
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-30T00:30:00Z"],
    ["*/10 * * * * *", "UTC", "2026-03-01T00:00:03Z", "2026-03-01T00:00:10Z"],
  ])("%s in %s after %s is %s", (cron, zone, after, next) => {
    expect(nextTime({ cron, zone }, at(after))).toEqual(at(next));
  });

  it("of a night with two half past twos is one of them, once", () => {
    const schedule = { cron: "30 2 * * *", zone: "Europe/Berlin" };
    const first = nextTime(schedule, at("2026-10-24T12:00:00Z"));
    expect([at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")]).toContainEqual(first);
    expect(nextTime(schedule, first ?? at("2026-10-25T01:30:00Z"))).toEqual(at("2026-10-26T01:30:00Z"));
  });

  it.each([
    [{ everyMs: 999 }, "not between"],
    [{ everyMs: 400 * 24 * HOUR_MS }, "not between"],
    [{ everyMs: Number.NaN }, "not between"],
    [{ cron: "", zone: "UTC" }, "can't be kept"],
    [{ cron: "1 2 3", zone: "UTC" }, "can't be kept"],
    [{ cron: "60 * * * *", zone: "UTC" }, "can't be kept"],
    [{ cron: "* * * * *", zone: "Mars/Olympus" }, "can't be kept"],
    [{ cron: "0 0 31 2 *", zone: "UTC" }, "never comes"],
  ])("is refused for %j", (schedule, message) => {
    expect(() => checkSchedule(schedule, at("2026-03-01T00:00:00Z"))).toThrow(message);
  });

  it("is unknown of a schedule that only a newer driver understands", () => {
    expect(scheduleFromJson({ moon: "full" })).toBeUndefined();
    expect(scheduleFromJson(undefined)).toBeUndefined();
    expect(scheduleFromJson({ everyMs: 1_000 })).toEqual({ everyMs: 1_000 });
  });
});

describe("the time after a failure", () => {
  const now = at("2026-03-01T10:00:30Z");
  const due = at("2026-03-01T10:00:00Z");
  const retryAt = (schedule: Parameters<typeof nextAfterFailure>[0], failures: number, retryable: boolean) =>
    nextAfterFailure(schedule, { failures, now, due, retryable })?.toISOString();

  it("is later each time, an hour at most", () => {
    expect([1, 2, 3, 6, 7, 50].map(backoffMs)).toEqual([1, 2, 4, 32, 60, 60].map((minutes) => minutes * MINUTE_MS));
  });

  it("comes before the schedule wants it where the failure may mend itself", () => {
    expect(retryAt({ cron: "0 0 * * *", zone: "UTC" }, 1, true)).toBe("2026-03-01T10:01:30.000Z");
    expect(retryAt({ everyMs: 10_000 }, 3, true)).toBe("2026-03-01T10:04:30.000Z");
  });

  it("is the schedule's, or later, where somebody must mend it", () => {
    expect(retryAt({ cron: "0 0 * * *", zone: "UTC" }, 1, false)).toBe("2026-03-02T00:00:00.000Z");
    expect(retryAt({ everyMs: 10_000 }, 3, false)).toBe("2026-03-01T10:04:30.000Z");
  });
});
