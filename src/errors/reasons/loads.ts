import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of loads, refreshes and appends as such. */
export const loadsReasons = {
  NOT_REFRESHABLE: {
    code: Code.FAILED_PRECONDITION,
    when: "The dataset's version was not made from a source that can be read again.",
    help: "Load the dataset from a source, or ask without `max_age`.",
    retryable: false,
  },
  INVALID_INCREMENT: {
    code: Code.INVALID_ARGUMENT,
    when: "An incremental refresh names a column that the dataset does not have, or a watermark or overlap that can't be compared.",
    help: "Name a watermark of numbers, dates or times, an overlap that fits it, and keys that are columns.",
    retryable: false,
  },
  INVALID_SCHEDULE: {
    code: Code.INVALID_ARGUMENT,
    when: "A schedule is no interval of a second or more, or its cron expression or zone can't be read or never comes.",
    help: "Give an interval such as 15m, or a cron expression of five or six fields with an IANA zone.",
    retryable: false,
  },
  DUPLICATE_KEY: {
    code: Code.FAILED_PRECONDITION,
    when: "The rows that an incremental refresh has read hold a key twice, so which one counts is not known.",
    help: "Name key columns that tell rows apart, or refresh in full.",
    retryable: false,
  },
  SCHEMA_CHANGED: {
    code: Code.FAILED_PRECONDITION,
    when: "The source's columns are no longer those of the dataset, so that an increment can't be added to it.",
    help: "Refresh in full; the dataset then has the source's columns.",
    retryable: false,
  },
  SCHEMA_MISMATCH: {
    code: Code.INVALID_ARGUMENT,
    when: "Files of one source differ in their columns.",
    help: "Load files with different columns as different datasets.",
    retryable: false,
  },
  LOAD_TYPE_MISMATCH: {
    code: Code.INVALID_ARGUMENT,
    when: "A value does not fit the type that was declared for its column.",
    help: "Declare a wider type, mend the value, or skip such rows by `badRows=skip`.",
    retryable: false,
  },
  VALUE_PARSER_FAILED: {
    code: Code.INVALID_ARGUMENT,
    when: "A value parser (option `parsers`) can't make a value of a text.",
    help: "Mend the parser or the value that the message names, or skip such rows by `badRows=skip` where the kind has it.",
    retryable: false,
  },
  LOAD_TYPE_CONTRADICTION: {
    code: Code.ABORTED,
    when: "A column's inferred type does not hold for all rows; the load starts over with a wider one.",
    help: "Declare the column's type to save the extra pass.",
    retryable: true,
  },
  TOO_MANY_BAD_ROWS: {
    code: Code.INVALID_ARGUMENT,
    when: "More rows are bad than `maxBadRows` allows.",
    help: "Mend the source, or raise `maxBadRows`.",
    retryable: false,
  },
  LOAD_OUT_OF_MEMORY: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The load needs more memory than the loader may use.",
    help: "Raise `memory`, or keep fewer columns.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;
