import { DECLARABLE_TYPES, declaredType } from "../engine/declared-type.ts";
import type { BadRows, FileScan } from "../engine/file-scan.ts";
import { httpOptions } from "./http/options.ts";
import { invalidOption, type OptionValues } from "./option-values.ts";
import type { OptionSchema } from "./options.ts";

const MAX_BAD_ROWS = 100_000;
const DEFAULT_BAD_ROWS = 1_000;

const keptColumnOptions = {
  columns: {
    type: "stringList",
    doc: "Keep only these columns, in this order.",
    default: "all of them",
    example: "date,delay",
  },
  ...httpOptions,
} as const satisfies OptionSchema;

/** Of every kind that speaks to a server: where the password of its login is. It is read by the driver and never handed on. */
export const secretOption = {
  secret: {
    type: "string",
    doc: "Where the password is: `env:DROVER_SECRET_…`, a variable of the driver's environment, or `file:/…`, a file of the driver's user with mode 0600. It is read when a load begins.",
    default: "none; a stored connection may keep a password itself",
    example: "env:DROVER_SECRET_SALES",
  },
} as const satisfies OptionSchema;

/** Options of every kind of file. */
export const fileOptions = {
  types: {
    type: "stringMap",
    doc: `Types of columns by name, instead of what is inferred: ${DECLARABLE_TYPES.join(", ")} or DECIMAL(p,s). A value that does not fit is an error, never a wider type. HUGEINT is kept as DECIMAL(38,0).`,
    default: "inferred",
    example: "zip=VARCHAR,price=DECIMAL(18,2)",
  },
  ...keptColumnOptions,
} as const satisfies OptionSchema;

/** Options of sources whose columns have types of their own. */
export const declaredColumnOptions = {
  types: {
    type: "stringMap",
    doc: "Types of columns by name, instead of the source's own; the source converts. A value that does not fit is an error, never a wider type.",
    default: "as docs/source-types.md says",
    example: "price=DECIMAL(18,2)",
  },
  ...keptColumnOptions,
} as const satisfies OptionSchema;

/** Options of every kind of text. */
export const textOptions = {
  encoding: {
    type: "string",
    doc: "How the text is encoded: any encoding of the WHATWG Encoding Standard. A byte order mark of UTF-16 is recognised without it.",
    default: "utf-8",
    example: "windows-1252",
  },
  dateFormat: {
    type: "string",
    doc: "How dates are written, in strptime's letters.",
    default: "ISO 8601 (2024-12-31)",
    example: "%d/%m/%Y",
  },
  timestampFormat: {
    type: "string",
    doc: "How timestamps are written, in strptime's letters; %z makes them instants.",
    default: "ISO 8601 (2024-12-31 23:59:59.123456, with an offset an instant)",
    example: "%d/%m/%Y %H:%M",
  },
  badRows: {
    type: "string",
    doc: "What happens to rows that can't be split into columns or hold a value that does not fit its declared type: `fail`, or `skip` with an exact count and the first 100 of them. Delimited text fails in either case where a broken quote goes over several lines, or stands in a row of 10,000 bytes or more, since it may take rows along that can't be counted, and where a row has more than 8 MiB.",
    default: "fail",
    choices: ["fail", "skip"],
  },
  maxBadRows: {
    type: "integer",
    doc: `With badRows=skip: more bad rows than this fail the load. At most ${MAX_BAD_ROWS}.`,
    default: String(DEFAULT_BAD_ROWS),
  },
} as const satisfies OptionSchema;

/** Takes the declared types out of the options, as the engine writes them. */
function declaredTypesOf(options: OptionValues): Readonly<Record<string, string>> | undefined {
  const types = options.map("types");
  if (!types) return undefined;
  return Object.fromEntries(
    Object.entries(types).map(([column, text]) => {
      const type = declaredType(text);
      if (type === undefined)
        throw invalidOption(
          "types",
          `${column}=${text}`,
          `a type that a column can have (${DECLARABLE_TYPES.join(", ")}, DECIMAL(p,s))`,
        );
      return [column, type];
    }),
  );
}

/** Takes the columns to keep out of the options. */
function keptColumnsOf(options: OptionValues): readonly string[] | undefined {
  const columns = options.list("columns");
  if (!columns) return undefined;
  if (columns.length === 0) throw invalidOption("columns", columns, "at least one column");
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined)
    throw invalidOption("columns", columns, `a list without repetitions (${JSON.stringify(twice)})`);
  return columns;
}

/** Takes the policy for bad rows out of the options. */
export function badRowsOf(options: OptionValues): BadRows {
  const maxBadRows = options.integer("maxBadRows");
  if (maxBadRows !== undefined && maxBadRows > MAX_BAD_ROWS)
    throw invalidOption("maxBadRows", maxBadRows, `at most ${MAX_BAD_ROWS}`);
  if (options.text("badRows") === "skip") return { policy: "skip", maxBadRows: maxBadRows ?? DEFAULT_BAD_ROWS };
  if (maxBadRows !== undefined) throw invalidOption("maxBadRows", maxBadRows, "of use without badRows=skip");
  return { policy: "fail" };
}

/** What every kind of file takes from its options. */
export function sharedSettings(options: OptionValues): Pick<FileScan, "declaredTypes" | "keep"> {
  const declaredTypes = declaredTypesOf(options);
  const keep = keptColumnsOf(options);
  return { ...(declaredTypes && { declaredTypes }), ...(keep && { keep }) };
}

/** The encoding's standard name; undefined leaves it to the file. */
export function encodingOf(options: OptionValues): string | undefined {
  const label = options.text("encoding");
  if (label === undefined) return undefined;
  try {
    return new TextDecoder(label).encoding;
  } catch {
    throw invalidOption("encoding", label, "an encoding of the WHATWG Encoding Standard");
  }
}
