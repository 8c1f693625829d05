import { type Dimension, dim, timeParts, timeUnits, type WeekdayName, weekdays } from "../../../node/src/index.ts";
import { UsageError } from "../usage-error.ts";
import { aliased, Scanner } from "./scanner.ts";
import { bySnakeCase, suggestion } from "./suggest.ts";

const units = bySnakeCase(timeUnits);
const parts = bySnakeCase(timeParts);
const days = bySnakeCase(weekdays);
const known = [...units.keys(), ...parts.keys(), "bin"];

/**
 * `[ALIAS=]COLUMN[:GRAIN]`. GRAIN is a period (`day`, `week(sunday)`), a part (`hour_of_day`, `day_of_week(sunday)`),
 * either with `@ZONE`, or `bin(WIDTH[,ORIGIN])`. A name that holds `=` or `:` stands in double quotes.
 */
export function parseDimension(text: string): Dimension {
  const scanner = new Scanner(text);
  const { alias, name } = aliased(scanner, "the column");
  const plain = alias === undefined ? dim(name) : dim(name).as(alias);
  if (!scanner.take(":")) {
    scanner.end();
    return plain;
  }
  return bucketed(plain, scanner.rest(), text);
}

function bucketed(dimension: Dimension, grain: string, text: string): Dimension {
  const match = /^([a-z_]*)(?:\(([^)]*)\))?(?:@(.+))?$/i.exec(grain);
  const word = (match?.[1] ?? grain).toLowerCase();
  const argument = match?.[2];
  const zone = match?.[3];
  if (word === "bin") return binned(dimension, argument, zone, text);
  const unit = units.get(word);
  const part = parts.get(word);
  if (unit === undefined && part === undefined) throw unknownGrain(text, match?.[1] ?? grain);
  const takesWeekStart = unit === "week" || part === "dayOfWeek";
  if (argument !== undefined && !takesWeekStart) throw new UsageError(`"${text}": ${word} takes nothing in brackets`);
  const options = { zone, weekStart: argument === undefined ? undefined : weekday(argument, text) };
  if (unit !== undefined) return dimension.grain(unit, options);
  if (part !== undefined) return dimension.part(part, options);
  throw unknownGrain(text, word);
}

function binned(dimension: Dimension, argument: string | undefined, zone: string | undefined, text: string): Dimension {
  if (zone !== undefined) throw new UsageError(`"${text}": bin takes no zone`);
  const [width, origin = 0, ...more] = (argument ?? "").split(",").map((part) => decimal(part, text));
  if (width === undefined || more.length > 0)
    throw new UsageError(`"${text}": bin takes a width and perhaps an origin`);
  if (width <= 0) throw new UsageError(`"${text}": the width of bin must be greater than 0`);
  return dimension.bin(width, { origin });
}

function decimal(part: string, text: string): number {
  const value = Number(part);
  if (part.trim() === "" || !Number.isFinite(value)) throw new UsageError(`"${text}": "${part.trim()}" is no number`);
  return value;
}

function weekday(name: string, text: string): WeekdayName {
  const day = days.get(name.trim().toLowerCase());
  if (day === undefined)
    throw new UsageError(`"${text}": unknown weekday "${name}"${suggestion(name, [...days.keys()])}`);
  return day;
}

function unknownGrain(text: string, word: string): UsageError {
  return new UsageError(
    `"${text}": unknown grain "${word}"${suggestion(word, known)}`,
    "Put a column whose name holds a colon in double quotes.",
  );
}
