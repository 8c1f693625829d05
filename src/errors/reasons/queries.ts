import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of queries and SQL: before the engine runs them, and in it. */
export const queriesReasons = {
  INVALID_QUERY: {
    code: Code.INVALID_ARGUMENT,
    when: "A query as a whole makes no sense, for example without dimensions and measures.",
    help: "Mend the field that the message names.",
    retryable: false,
  },
  UNKNOWN_COLUMN: {
    code: Code.INVALID_ARGUMENT,
    when: "A query names a column that neither the dataset nor the query has.",
    help: "See the dataset's columns with `drover describe`; upper and lower case count.",
    retryable: false,
  },
  DUPLICATE_NAME: {
    code: Code.INVALID_ARGUMENT,
    when: "Two columns of a result, or a calculated column and another one, have the same name.",
    help: "Give one of them another alias.",
    retryable: false,
  },
  INVALID_DIMENSION: {
    code: Code.INVALID_ARGUMENT,
    when: "A dimension's grain, part or bin does not fit the type of its column.",
    help: "Group by another column or leave the bucket out.",
    retryable: false,
  },
  INVALID_TIME_ZONE: {
    code: Code.INVALID_ARGUMENT,
    when: "A zone is not in the IANA time zone database.",
    help: "Give a name such as `Europe/Berlin` or `UTC`.",
    retryable: false,
  },
  INVALID_MEASURE: {
    code: Code.INVALID_ARGUMENT,
    when: "A measure can't be computed of its column, for example the sum of a text.",
    help: "Choose another operation, or calculate a column of a fitting type first.",
    retryable: false,
  },
  INVALID_FILTER: {
    code: Code.INVALID_ARGUMENT,
    when: "A condition does not fit its column: a value of another type, an operator that the type does not have.",
    help: "Give the value as the column's type says; docs/types.md shows how each is written.",
    retryable: false,
  },
  INVALID_EXPRESSION: {
    code: Code.INVALID_ARGUMENT,
    when: "An expression has arguments of wrong number or type, or is nested too deeply.",
    help: "Mend the part that the message names; functions that convert types help.",
    retryable: false,
  },
  RESULT_TOO_LARGE: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A result is larger than one answer may be.",
    help: "Use the stream (`RunQuery`), or ask for fewer rows.",
    retryable: false,
  },
  READER_TOO_SLOW: {
    code: Code.ABORTED,
    when: "The reader of a result took nothing of it for `limits.readerTimeout`, so the query gave its place in the pool away.",
    help: "Read the result as it comes, ask for less, or raise `limits.readerTimeout`.",
    retryable: false,
  },
  QUERY_FAILED: {
    code: Code.INVALID_ARGUMENT,
    when: "The engine can't compute the query over this data: a cast that fails, a number that overflows, a division of the wrong kind.",
    help: "Mend the expression, or filter out the values that the message names.",
    retryable: false,
  },
  OUT_OF_MEMORY: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The query needs more memory than its share and can't be spilled to disk.",
    help: "Group by fewer values, run fewer queries at once, or raise `memory`.",
    retryable: true,
  },
  SPILL_FULL: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The query's intermediate results need more disk than the spill folder may take.",
    help: "Group by fewer values, or raise the limit of the spill folder.",
    retryable: true,
  },
  SEGMENT_UNREADABLE: {
    code: Code.DATA_LOSS,
    when: "A segment of the dataset is missing or damaged.",
    help: "Refresh or load the dataset again.",
    retryable: false,
  },
  VALUE_OUT_OF_RANGE: {
    code: Code.OUT_OF_RANGE,
    when: "A value of a result doesn't fit the Arrow type of its column.",
    help: "Ask for rows instead of Arrow, or cast the column to text.",
    retryable: false,
  },
  VALUE_UNWRITABLE: {
    code: Code.OUT_OF_RANGE,
    when: "A value can't be written in the format that was asked for, for example a control character in XML.",
    help: "Leave the column out, replace the character in a calculated column, or choose another format.",
    retryable: false,
  },
  TYPE_UNSUPPORTED: {
    code: Code.INVALID_ARGUMENT,
    when: "A column of a result has a type that no result can carry.",
    help: "Cast the column to a type of docs/types.md.",
    retryable: false,
  },
  SQL_INVALID: {
    code: Code.INVALID_ARGUMENT,
    when: "The SQL can't be read or understood, or its placeholders and values differ in number.",
    help: "Mend the SQL at the place that the message names.",
    retryable: false,
  },
  SQL_FORBIDDEN: {
    code: Code.PERMISSION_DENIED,
    when: "The SQL is more than one SELECT, or it uses a table, function or construct that is not on the allow-list.",
    help: "Use datasets by name and the functions that docs/sql.md lists.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;
