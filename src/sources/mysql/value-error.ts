import { DriverError } from "../../errors/driver-error.ts";

const MAX_SHOWN = 100;

export function zeroDate(column: string, text: string): DriverError {
  return unfit(column, text, "is no date of the calendar; set zeroDates=null or zeroDates=text to load such values");
}

export function noTimeOfDay(column: string, text: string): DriverError {
  return unfit(column, text, "is no time of a day; set times=seconds or times=text to load lengths of time");
}

function unfit(column: string, text: string, why: string): DriverError {
  const shown = JSON.stringify(text.slice(0, MAX_SHOWN));
  return new DriverError("LOAD_TYPE_MISMATCH", `column ${JSON.stringify(column)}: ${shown} ${why}`, {
    metadata: { column },
  });
}
