import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DimensionSchema, type Dimension as WireDimension } from "../gen/drover/v1/query_pb.js";
import {
  lookUp,
  type TimePartName,
  type TimeUnitName,
  timeParts,
  timeUnits,
  type WeekdayName,
  weekdays,
} from "./names.ts";

/** Whose calendar and clock counts. */
export interface ZoneOptions {
  /** An IANA zone, for example `Europe/Berlin`. Default: the column as it stands, UTC for instants. */
  readonly zone?: string | undefined;
}

/** Also on which day weeks begin. */
export interface WeekOptions extends ZoneOptions {
  /** Default: monday. */
  readonly weekStart?: WeekdayName | undefined;
}

type Bucket = NonNullable<MessageInitShape<typeof DimensionSchema>["bucket"]>;

/** A column to group by; immutable. Make one with `dim()`. */
export class Dimension {
  readonly column: string;
  readonly alias: string;
  readonly #bucket: Bucket | undefined;

  constructor(column: string, alias = "", bucket?: Bucket) {
    this.column = column;
    this.alias = alias;
    this.#bucket = bucket;
  }

  /** Names it in the result. */
  as(alias: string): Dimension {
    return new Dimension(this.column, alias, this.#bucket);
  }

  /** By calendar periods, in order of time. */
  grain(unit: TimeUnitName, options: WeekOptions = {}): Dimension {
    return this.#with({ case: "grain", value: { unit: lookUp(timeUnits, unit, "time unit"), ...clock(options) } });
  }

  second(options?: ZoneOptions): Dimension {
    return this.grain("second", options);
  }

  minute(options?: ZoneOptions): Dimension {
    return this.grain("minute", options);
  }

  hour(options?: ZoneOptions): Dimension {
    return this.grain("hour", options);
  }

  day(options?: ZoneOptions): Dimension {
    return this.grain("day", options);
  }

  week(options?: WeekOptions): Dimension {
    return this.grain("week", options);
  }

  month(options?: ZoneOptions): Dimension {
    return this.grain("month", options);
  }

  quarter(options?: ZoneOptions): Dimension {
    return this.grain("quarter", options);
  }

  year(options?: ZoneOptions): Dimension {
    return this.grain("year", options);
  }

  /** By a recurring part of the time; the result is an integer. */
  part(part: TimePartName, options: WeekOptions = {}): Dimension {
    return this.#with({ case: "part", value: { part: lookUp(timeParts, part, "time part"), ...clock(options) } });
  }

  /** 0 to 59. */
  minuteOfHour(options?: ZoneOptions): Dimension {
    return this.part("minuteOfHour", options);
  }

  /** 0 to 23. */
  hourOfDay(options?: ZoneOptions): Dimension {
    return this.part("hourOfDay", options);
  }

  /** 1 to 7, from `weekStart`. */
  dayOfWeek(options?: WeekOptions): Dimension {
    return this.part("dayOfWeek", options);
  }

  /** 1 to 31. */
  dayOfMonth(options?: ZoneOptions): Dimension {
    return this.part("dayOfMonth", options);
  }

  /** 1 to 366. */
  dayOfYear(options?: ZoneOptions): Dimension {
    return this.part("dayOfYear", options);
  }

  /** The ISO week, 1 to 53. */
  weekOfYear(options?: ZoneOptions): Dimension {
    return this.part("weekOfYear", options);
  }

  /** 1 to 12. */
  monthOfYear(options?: ZoneOptions): Dimension {
    return this.part("monthOfYear", options);
  }

  /** 1 to 4. */
  quarterOfYear(options?: ZoneOptions): Dimension {
    return this.part("quarterOfYear", options);
  }

  /** By ranges of equal width, each named by its lower bound. */
  bin(width: number, options: { readonly origin?: number | undefined } = {}): Dimension {
    return this.#with({ case: "bin", value: { width, origin: options.origin ?? 0 } });
  }

  /** As the contract carries it. */
  get wire(): WireDimension {
    const { column, alias } = this;
    return create(DimensionSchema, { column, alias, ...(this.#bucket && { bucket: this.#bucket }) });
  }

  #with(bucket: Bucket): Dimension {
    return new Dimension(this.column, this.alias, bucket);
  }
}

function clock({ zone = "", weekStart }: WeekOptions) {
  return { zone, ...(weekStart && { weekStart: lookUp(weekdays, weekStart, "weekday") }) };
}

/** Groups by a column: `dim("date").hourOfDay().as("hour")`. */
export function dim(column: string): Dimension {
  return new Dimension(column);
}
