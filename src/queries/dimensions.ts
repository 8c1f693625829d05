import type { Expr, LiteralExpr } from "../engine/plan.ts";
import {
  BIGINT,
  type ColumnType,
  DOUBLE,
  decimal,
  HUGEINT,
  INTEGER,
  isTemporal,
  TIMESTAMP,
  TIMESTAMP_TZ,
} from "./column-type.ts";
import { readLiteralExactly } from "./literals.ts";
import type { Dimension } from "./model.ts";
import type { Place } from "./place.ts";
import type { Scope, Typed } from "./scope.ts";
import { readZone } from "./zones.ts";

/** A dimension that was checked. */
export interface PlannedDimension {
  readonly name: string;
  /** What rows are grouped by. */
  readonly key: Typed;
  /** Makes the value in the result from the key, where that is another one. */
  readonly finish?: (key: Expr) => Expr;
  /** The type in the result. */
  readonly type: ColumnType;
}

type Bucket = NonNullable<Dimension["bucket"]>;

/** Checks a dimension. Throws INVALID_DIMENSION, INVALID_TIME_ZONE or UNKNOWN_COLUMN at the field at fault. */
export function planDimension(dimension: Dimension, scope: Scope, place: Place): PlannedDimension {
  const column = scope.resolve(dimension.column, place.at("column"));
  const name = dimension.alias || dimension.column;
  if (dimension.bucket === undefined) return { name, key: column, type: column.type };
  switch (dimension.bucket.kind) {
    case "grain":
      return { name, ...planGrain(column, dimension.bucket, place.at("grain")) };
    case "part":
      return { name, ...planPart(column, dimension.bucket, place.at("part")) };
    case "bin":
      return { name, ...planBin(column, dimension.bucket, place.at("bin")) };
  }
}

const BELOW_DAY = new Set(["second", "minute", "hour"]);

function planGrain(
  { expr, type }: Typed,
  { unit, zone: zoneText, weekStart }: Extract<Bucket, { kind: "grain" }>,
  place: Place,
): Omit<PlannedDimension, "name"> {
  if (!isTemporal(type)) throw place.error("INVALID_DIMENSION", `${type.type} has no calendar periods`);
  if (type.kind === "date" && BELOW_DAY.has(unit))
    throw place.at("unit").error("INVALID_DIMENSION", `a DATE has no ${unit}s`);
  const zone = zoneOf(zoneText, type, place);
  const result = type.kind === "timestamp" ? TIMESTAMP : type;
  if (zone === undefined) {
    const key: Typed = { expr: { kind: "timeGrain", arg: expr, argType: type.type, unit, weekStart }, type: result };
    return { key, type: result };
  }
  if (BELOW_DAY.has(unit)) {
    const start: Expr = { kind: "timeGrain", arg: expr, argType: type.type, unit, zone, weekStart };
    const key = { expr: start, type: TIMESTAMP_TZ };
    // No clock was ever set by less than a second.
    if (unit === "second") return { key, type: TIMESTAMP_TZ };
    return { key, finish: (arg) => ({ kind: "clockBegin", arg, unit, zone }), type: TIMESTAMP_TZ };
  }
  // Longer periods are grouped by local time: to find the instant of each group is cheaper than of each row.
  const local: Expr = { kind: "toLocal", arg: expr, argType: type.type, zone };
  const key: Typed = {
    expr: { kind: "timeGrain", arg: local, argType: TIMESTAMP.type, unit, weekStart },
    type: TIMESTAMP,
  };
  return { key, finish: (arg) => ({ kind: "fromLocal", arg, zone }), type: TIMESTAMP_TZ };
}

function planPart(
  { expr, type }: Typed,
  { part, zone: zoneText, weekStart }: Extract<Bucket, { kind: "part" }>,
  place: Place,
): Omit<PlannedDimension, "name"> {
  const ofDay = part === "minuteOfHour" || part === "hourOfDay";
  if (ofDay ? type.kind === "date" || !(isTemporal(type) || type.kind === "time") : !isTemporal(type))
    throw place.at("part").error("INVALID_DIMENSION", `${type.type} has no ${part}`);
  const zone = zoneOf(zoneText, type, place);
  const key: Expr =
    zone === undefined
      ? { kind: "timePart", arg: expr, argType: type.type, part, weekStart }
      : {
          kind: "timePart",
          arg: { kind: "toLocal", arg: expr, argType: type.type, zone },
          argType: TIMESTAMP.type,
          part,
          weekStart,
        };
  return { key: { expr: key, type: INTEGER }, type: INTEGER };
}

function zoneOf(text: string | undefined, type: ColumnType, place: Place): string | undefined {
  if (text === undefined || text === "") return undefined;
  const zone = readZone(text);
  if (zone === undefined)
    throw place.at("zone").error("INVALID_TIME_ZONE", `there is no time zone ${JSON.stringify(text)}`, { zone: text });
  if (type.kind !== "timestamp" && type.kind !== "timestampTz")
    throw place.at("zone").error("INVALID_DIMENSION", `a ${type.type} has no zone`);
  return zone;
}

function planBin(
  { expr, type }: Typed,
  { width, origin }: Extract<Bucket, { kind: "bin" }>,
  place: Place,
): Omit<PlannedDimension, "name"> {
  if (!(width > 0) || !Number.isFinite(width)) throw place.at("width").error("INVALID_DIMENSION", "must be above 0");
  const bins = binType(type, width, origin);
  if (bins === undefined) throw place.error("INVALID_DIMENSION", `${type.type} has no numeric ranges`);
  const bound: Expr = {
    kind: "bin",
    arg: expr,
    type: bins.type,
    width: boundLiteral(width, bins, place.at("width")),
    origin: boundLiteral(origin, bins, place.at("origin")),
  };
  return { key: { expr: bound, type: bins }, type: bins };
}

function boundLiteral(value: number, type: ColumnType, place: Place): LiteralExpr {
  // A double with a whole value is exact even above 2^53.
  const text = Number.isInteger(value) ? BigInt(value).toString() : String(value);
  const reading = readLiteralExactly(text, type);
  if ("problem" in reading) throw place.error("INVALID_DIMENSION", reading.problem);
  return reading.expr;
}

/** Whole numbers stay whole where width and origin are, decimals stay exact where there is room, all else is DOUBLE. */
function binType(type: ColumnType, width: number, origin: number): ColumnType | undefined {
  if (type.kind === "float") return DOUBLE;
  if (type.kind === "integer") {
    if (!Number.isInteger(width) || !Number.isInteger(origin)) return DOUBLE;
    const fits = type.bits < 64 || (type.bits === 64 && type.signed);
    return fits && Math.max(width, Math.abs(origin)) < 2 ** 62 ? BIGINT : HUGEINT;
  }
  if (type.kind !== "decimal") return undefined;
  // In 64 bits where there is room for one more digit: 2 M rows took 52 ms, with 128 bits 838.
  const narrow = decimal(17, type.scale);
  if (type.width < 18 && fitsExactly([width, origin], narrow)) return decimal(18, type.scale);
  return fitsExactly([width, origin], decimal(38, type.scale)) ? decimal(38, type.scale) : DOUBLE;
}

function fitsExactly(values: readonly number[], type: ColumnType): boolean {
  return values.every((value) => "expr" in readLiteralExactly(String(value), type));
}
