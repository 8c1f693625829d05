import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of what stands in a source. */
export const sourceContentReasons = {
  EMPTY_SOURCE: {
    code: Code.FAILED_PRECONDITION,
    when: "The source has no content: not even a header.",
    help: "Check how the file was made; a header alone is enough for a dataset without rows.",
    retryable: false,
  },
  SOURCE_BINARY: {
    code: Code.INVALID_ARGUMENT,
    when: "The file holds binary data where text was expected.",
    help: "Give the right format, or the `encoding` if it is text in UTF-16 or UTF-32.",
    retryable: false,
  },
  SOURCE_ENCODING: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not text in the encoding that was given (UTF-8 by default).",
    help: "Give the option `encoding`, for example `windows-1252`.",
    retryable: false,
  },
  SOURCE_TRUNCATED: {
    code: Code.DATA_LOSS,
    when: "A compressed file ends early or is damaged.",
    help: "Copy or make the file again.",
    retryable: false,
  },
  SOURCE_CHANGED: {
    code: Code.ABORTED,
    when: "A file changed while it was read, so what was loaded belongs to no state of it.",
    help: "Try again when nothing writes to the file.",
    retryable: true,
  },
  RAGGED_ROWS: {
    code: Code.INVALID_ARGUMENT,
    when: "A row has more or fewer values than there are columns.",
    help: "Mend the row, give the right delimiter, or skip such rows by `badRows=skip`.",
    retryable: false,
  },
  UNTERMINATED_QUOTE: {
    code: Code.INVALID_ARGUMENT,
    when: "A quoted value does not end, or text follows its closing quote.",
    help: "Mend the row, give the right `quote` and `escape`, or skip such rows by `badRows=skip`, which passes over those of one line and less than 10,000 bytes only.",
    retryable: false,
  },
  ROW_TOO_LONG: {
    code: Code.INVALID_ARGUMENT,
    when: "A row is longer than the loader's limit; `badRows=skip` does not skip it.",
    help: "A missing closing quote is the usual cause; split the row otherwise.",
    retryable: false,
  },
  MALFORMED_SOURCE: {
    code: Code.INVALID_ARGUMENT,
    when: "A source is not of its kind's form, or contradicts itself; for kinds that packages bring.",
    help: "Check that the file is what its kind or its ending says, and whole.",
    retryable: false,
  },
  MALFORMED_CSV: {
    code: Code.INVALID_ARGUMENT,
    when: "The file can't be read as delimited text with these options.",
    help: "Check delimiter, quote, escape and that all lines end alike, in all files.",
    retryable: false,
  },
  MALFORMED_JSON: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not JSON of the expected layout.",
    help: "Mend the place; the file must be an array of objects, or one object for each line.",
    retryable: false,
  },
  MALFORMED_XML: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not well-formed XML.",
    help: "Mend the place that the message names; a file that ends early has to be copied or made again.",
    retryable: false,
  },
  XML_ENTITIES: {
    code: Code.INVALID_ARGUMENT,
    when: "An XML document declares entities of its own, which could grow without bound or name files and addresses.",
    help: "Have the document made without entities; the five of XML itself and character references always work.",
    retryable: false,
  },
  XML_LIMIT: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "An XML document has a value, a record, a depth or a number of different elements beyond the reader's limits.",
    help: "Choose another `recordPath`, `nested=keep` for many different elements, or split the value.",
    retryable: false,
  },
  XML_NO_RECORDS: {
    code: Code.INVALID_ARGUMENT,
    when: "No element of an XML document is where the record path looks.",
    help: "Give one of the paths that the message names as `recordPath`, or leave it out to have it found.",
    retryable: false,
  },
  MALFORMED_ROWS: {
    code: Code.INVALID_ARGUMENT,
    when: "A row of an append is not one JSON array or object on a line of its own, or has other values than columns were named.",
    help: "Mend the row that `row` counts within the append; nothing of the flush that it was in has been kept.",
    retryable: false,
  },
  MALFORMED_ARROW: {
    code: Code.INVALID_ARGUMENT,
    when: "What was sent is no Arrow IPC stream without compression, or has a type that can't be appended.",
    help: "Send the messages of an IPC stream in their order, the schema first, and see docs/append.md for the types.",
    retryable: false,
  },
  MALFORMED_PARQUET: {
    code: Code.INVALID_ARGUMENT,
    when: "The file is not Parquet, or its footer or pages are damaged.",
    help: "Make the file again, or give the right format.",
    retryable: false,
  },
} as const satisfies Record<string, ReasonEntry>;
