import { type Duration, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { checkMilliseconds } from "./checks.ts";
import { clientError, type DroverError, statusError } from "./errors.ts";
import { RefreshMode } from "./gen/drover/v1/dataset_service_pb.js";
import type {
  Increment as WireIncrement,
  Schedule as WireSchedule,
  RefreshStatus as WireStatus,
} from "./gen/drover/v1/refresh_pb.js";
import type { Operation } from "./model.ts";
import { dateFrom } from "./times.ts";
import type { CallOptions } from "./transport/transport.ts";

/** A rule by which refreshes read only what is new at the source; docs/datasets.md tells what it means. */
export interface Increment {
  /** A column of numbers, dates or times that grows. */
  readonly watermark: string;
  /** For dates and times: how far before the greatest value rows are read again. */
  readonly overlapMs?: number | undefined;
  /** For numbers: how far before the greatest value rows are read again. */
  readonly overlapAmount?: number | undefined;
  /** Columns that tell rows apart: rows with the same values replace old ones. Without any, the whole window is replaced. */
  readonly keys?: readonly string[] | undefined;
}

/** How much of its source a refresh reads. */
export interface RefreshOptions extends CallOptions {
  /** Default: only what is new where the dataset has a rule for it, else everything. */
  readonly mode?: "full" | "incremental" | undefined;
  /** Takes the place of the dataset's rule, from now on. */
  readonly increment?: Increment | undefined;
  /** Chosen by the client so that a retry is the same refresh. Default: a random UUID. */
  readonly operationId?: string | undefined;
}

/** When a dataset is refreshed by itself: every so often, or at times of a zone's clock (default: UTC). */
export type Schedule = { readonly everyMs: number } | { readonly cron: string; readonly zone?: string | undefined };

/** A refresh that was due, and has ended. */
export interface DueRefresh {
  readonly dataset: string;
  /** Undefined where it could not even start. */
  readonly operation: Operation | undefined;
  readonly error: DroverError | undefined;
}

/** What is known of a dataset's refreshes. */
export interface RefreshStatus {
  readonly schedule: Schedule | undefined;
  /** When the schedule wants the next one; in the past while it waits or runs. */
  readonly nextTime: Date | undefined;
  readonly lastStartTime: Date | undefined;
  /** Undefined while it runs, and where its driver has died. */
  readonly lastEndTime: Date | undefined;
  readonly lastOperationId: string;
  readonly lastError: DroverError | undefined;
  /** How many have failed in a row. */
  readonly failures: number;
  /** When the source was last seen to hold what the current version holds. */
  readonly freshTime: Date | undefined;
}

export function incrementToWire({ watermark, keys = [], overlapMs, overlapAmount }: Increment): WireIncrement {
  if (overlapMs !== undefined && overlapAmount !== undefined)
    throw clientError("INVALID_ARGUMENT", "increment: overlapMs is for times, overlapAmount for numbers");
  if (overlapMs !== undefined) checkMilliseconds("increment.overlapMs", overlapMs);
  return {
    $typeName: "drover.v1.Increment",
    watermark,
    keys: [...keys],
    overlap:
      overlapMs !== undefined
        ? { case: "overlapTime", value: durationFromMs(overlapMs) }
        : overlapAmount !== undefined
          ? { case: "overlapAmount", value: overlapAmount }
          : { case: undefined },
  };
}

export function incrementFrom({ watermark, keys, overlap }: WireIncrement): Increment {
  return {
    watermark,
    keys,
    overlapMs: overlap.case === "overlapTime" ? durationMs(overlap.value) : undefined,
    overlapAmount: overlap.case === "overlapAmount" ? overlap.value : undefined,
  };
}

const modes: Readonly<Record<string, RefreshMode>> = {
  full: RefreshMode.FULL,
  incremental: RefreshMode.INCREMENTAL,
};

export function modeToWire(mode: RefreshOptions["mode"]): RefreshMode {
  if (mode === undefined) return RefreshMode.UNSPECIFIED;
  const wire = Object.hasOwn(modes, mode) ? modes[mode] : undefined;
  if (wire === undefined) throw clientError("INVALID_ARGUMENT", `mode: "${mode}" is not full or incremental`);
  return wire;
}

export function scheduleToWire(schedule: Schedule): WireSchedule {
  if ("everyMs" in schedule) {
    checkMilliseconds("schedule.everyMs", schedule.everyMs);
    return { $typeName: "drover.v1.Schedule", kind: { case: "every", value: durationFromMs(schedule.everyMs) } };
  }
  const { cron: expression, zone = "" } = schedule;
  const value = { $typeName: "drover.v1.CronSchedule", expression, zone } as const;
  return { $typeName: "drover.v1.Schedule", kind: { case: "cron", value } };
}

function scheduleFrom(schedule: WireSchedule | undefined): Schedule | undefined {
  const kind = schedule?.kind;
  if (kind?.case === "every") return { everyMs: durationMs(kind.value as Duration) };
  return kind?.case === "cron" ? { cron: kind.value.expression, zone: kind.value.zone } : undefined;
}

export function refreshStatusFrom(status: WireStatus): RefreshStatus {
  return {
    schedule: scheduleFrom(status.schedule),
    nextTime: dateFrom(status.nextTime),
    lastStartTime: dateFrom(status.lastStartTime),
    lastEndTime: dateFrom(status.lastEndTime),
    lastOperationId: status.lastOperationId,
    lastError: status.lastError && statusError(status.lastError),
    failures: status.failures,
    freshTime: dateFrom(status.freshTime),
  };
}
