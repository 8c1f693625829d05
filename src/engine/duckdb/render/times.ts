import type { Expr, TimePart, TimeUnit } from "../../plan.ts";
import { inUtc, utcInstant } from "./functions.ts";

type Kind<K extends Expr["kind"]> = Extract<Expr, { readonly kind: K }>;

/** The beginning of a period; `arg` is the argument rendered, `zoneName` binds the zone's name where it is needed. */
export function renderGrain(
  { argType, unit, weekStart, zone }: Kind<"timeGrain">,
  arg: string,
  zoneName: () => string,
): string {
  if (zone !== undefined && unit !== "second") return zonedGrain(arg, argType, unit, zoneName());
  if (argType === "DATE") return dateGrain(arg, unit, weekStart);
  const cut = truncated(inUtc(arg, argType), unit, weekStart);
  return argType === "TIMESTAMP WITH TIME ZONE" || zone !== undefined ? utcInstant(cut) : cut;
}

function truncated(timestamp: string, unit: TimeUnit, weekStart: number): string {
  if (unit !== "week" || weekStart === 1) return `date_trunc('${unit}', ${timestamp})`;
  const days = `INTERVAL ${weekStart - 1} DAY`;
  return `(date_trunc('week', ${timestamp} - ${days}) + ${days})`;
}

// An infinite DATE becomes an infinite TIMESTAMP, whose cast to DATE is a day in the year 5881580.
function dateGrain(arg: string, unit: TimeUnit, weekStart: number): string {
  if (unit === "day") return arg;
  return `CASE WHEN isfinite(${arg}) THEN CAST(${truncated(arg, unit, weekStart)} AS DATE) ELSE ${arg} END`;
}

/**
 * Periods of a minute or an hour on a zone's clock, as instants: what has passed of the period is taken off the instant, so
 * the hour that clocks repeat stays apart.
 */
function zonedGrain(arg: string, argType: string, unit: TimeUnit, zone: string): string {
  const instant = argType === "TIMESTAMP WITH TIME ZONE" ? arg : utcInstant(inUtc(arg, argType));
  const length = periodMicros(unit);
  const passed = `(epoch_us(timezone(${zone}, ${instant})) % ${length} + ${length}) % ${length}`;
  return `coalesce(make_timestamptz(epoch_us(${instant}) - ${passed}), ${instant})`;
}

function periodMicros(unit: TimeUnit): number {
  return unit === "minute" ? 60_000_000 : 3_600_000_000;
}

/**
 * Puts the beginnings right that `zonedGrain` gives. Where the clock was set within the period (by half an hour in Lord Howe,
 * by seconds long ago), it begins when that happened, at a full hour of the old time: `shift` is how far the clock at the
 * assumed beginning is from the full hour that it shows at the end.
 */
export function renderClockBegin(start: string, unit: TimeUnit, zone: string): string {
  const length = periodMicros(unit);
  const local = (micros: string) => `epoch_us(timezone(${zone}, make_timestamptz(${micros})))`;
  const begin = `epoch_us(${start})`;
  const end = `(${begin} + ${length - 1})`;
  const shift = `((${local(begin)} - ${local(end)} + ${length - 1}) % ${length})`;
  const moved = `CASE WHEN ${shift} > 0 THEN ${length} - ${shift} ELSE -${shift} END`;
  return `CASE WHEN ${shift} <> 0 THEN make_timestamptz(${begin} + ${moved}) ELSE ${start} END`;
}

/** Local time of a zone. */
export function renderToLocal({ argType }: Kind<"toLocal">, arg: string, zone: string): string {
  if (argType === "TIMESTAMP WITH TIME ZONE") return `timezone(${zone}, ${arg})`;
  return `timezone(${zone}, ${utcInstant(inUtc(arg, argType))})`;
}

/**
 * The first instant of a local time. Of a time that occurs twice DuckDB takes the second one; the first follows from the
 * offset that held three hours before (clocks never jumped further back than two).
 */
export function renderFromLocal(local: string, zone: string): string {
  const second = `timezone(${zone}, ${local})`;
  const before = `make_timestamptz(epoch_us(${second}) - 10800000000)`;
  const offset = `(epoch_us(timezone(${zone}, ${before})) - epoch_us(${before}))`;
  const first = `make_timestamptz(epoch_us(${local}) - ${offset})`;
  return `CASE WHEN timezone(${zone}, ${first}) = ${local} THEN least(${first}, ${second}) ELSE ${second} END`;
}

const PARTS: Readonly<Record<Exclude<TimePart, "dayOfWeek">, string>> = {
  minuteOfHour: "minute",
  hourOfDay: "hour",
  dayOfMonth: "day",
  dayOfYear: "doy",
  weekOfYear: "week",
  monthOfYear: "month",
  quarterOfYear: "quarter",
};

/** A recurring part of a time as INTEGER. */
export function renderPart({ argType, part, weekStart }: Kind<"timePart">, arg: string): string {
  const time = inUtc(arg, argType);
  if (part !== "dayOfWeek") return `CAST(extract(${PARTS[part]} FROM ${time}) AS INTEGER)`;
  return `CAST((extract(isodow FROM ${time}) + ${7 - weekStart}) % 7 + 1 AS INTEGER)`;
}
