import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { RefreshRecord } from "../../catalog/refreshes.ts";
import type { IncrementRule, Overlap } from "../../engine/increment.ts";
import {
  type Increment,
  IncrementSchema,
  type Freshness as ProtoFreshness,
  type Schedule as ProtoSchedule,
  type RefreshStatus,
  RefreshStatusSchema,
  ScheduleSchema,
} from "../../gen/drover/v1/refresh_pb.js";
import { type Schedule, scheduleFromJson } from "../../loading/refresh/schedule.ts";
import type { Freshness } from "../../queries/model.ts";
import { toStatus } from "../status.ts";
import { invalidField } from "./invalid-field.ts";

export function toIncrement(increment: Increment | undefined): IncrementRule | undefined {
  if (increment === undefined) return undefined;
  const { watermark, keys } = increment;
  const overlap = toOverlap(increment);
  return { watermark, keys, ...(overlap && { overlap }) };
}

function toOverlap({ overlap }: Increment): Overlap | undefined {
  if (overlap.case === undefined) return undefined;
  return overlap.case === "overlapTime" ? { ms: durationMs(overlap.value) } : { amount: overlap.value };
}

export function fromIncrement({ watermark, keys, overlap }: IncrementRule): Increment {
  return create(IncrementSchema, { watermark, keys: [...keys], overlap: fromOverlap(overlap) });
}

function fromOverlap(overlap: Overlap | undefined): Increment["overlap"] {
  if (overlap === undefined) return { case: undefined };
  if ("ms" in overlap) return { case: "overlapTime", value: durationFromMs(overlap.ms) };
  return { case: "overlapAmount", value: overlap.amount };
}

export function toSchedule(schedule: ProtoSchedule | undefined): Schedule | undefined {
  const kind = schedule?.kind;
  switch (kind?.case) {
    case "every":
      return { everyMs: durationMs(kind.value) };
    case "cron":
      return { cron: kind.value.expression, zone: kind.value.zone || "UTC" };
    default:
      return undefined;
  }
}

function fromSchedule(schedule: Schedule): ProtoSchedule {
  if ("everyMs" in schedule)
    return create(ScheduleSchema, { kind: { case: "every", value: durationFromMs(schedule.everyMs) } });
  const { cron: expression, zone } = schedule;
  return create(ScheduleSchema, { kind: { case: "cron", value: { expression, zone } } });
}

/** How old an answer may be; undefined for any age. Throws INVALID_REQUEST where a version is named, too. */
export function toFreshness(
  freshness: ProtoFreshness | undefined,
  version: bigint,
  place: string,
): Freshness | undefined {
  if (freshness === undefined) return undefined;
  if (version !== 0n) throw invalidField(place, "a version is as old as it is: leave one of the two out");
  return { maxAgeMs: durationMs(freshness.maxAge as Duration), allowStale: freshness.allowStale };
}

export function fromRefreshStatus(record: RefreshRecord | undefined, freshTime: Date): RefreshStatus {
  const schedule = scheduleFromJson(record?.schedule);
  const { nextTime, last, failures = 0 } = record ?? {};
  return create(RefreshStatusSchema, {
    failures,
    freshTime: timestampFromDate(freshTime),
    ...(schedule && { schedule: fromSchedule(schedule) }),
    ...(nextTime && { nextTime: timestampFromDate(nextTime) }),
    ...(last && { lastStartTime: timestampFromDate(last.startTime), lastOperationId: last.operationId }),
    ...(last?.endTime && { lastEndTime: timestampFromDate(last.endTime) }),
    ...(last?.error && { lastError: toStatus(last.error) }),
  });
}
