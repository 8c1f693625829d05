import { badRowsOf, encodingOf, fileOptions, sharedSettings, textOptions } from "../common-options.ts";
import type { SourceSpec } from "../connector.ts";
import { invalidOption, parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { parserOptions, parsersOf } from "../parsers/options.ts";
import { parseRecordPath, type RecordPath } from "./record-path.ts";

/** What XML can be told. */
export const options = {
  recordPath: {
    type: "string",
    doc: "The elements that become rows: a path from the root (`/catalog/book`, `*` for any name), or `//book` wherever they are. A name without a prefix means it in any namespace.",
    default:
      "found in the first part of the first file: the outermost elements that repeat and hold most of the text; in a document without repetitions, its innermost element around everything",
    example: "/catalog/book",
  },
  nested: {
    type: "string",
    doc: "What becomes of elements within the record's: `flatten` makes a column of each attribute and each text, named by its path; `keep` makes structs and lists of them, which takes a second reading of the files.",
    default: "flatten",
    choices: ["flatten", "keep"],
  },
  separator: {
    type: "string",
    doc: "With nested=flatten: what stands between the names of a path.",
    default: "_",
    example: ".",
  },
  attributePrefix: {
    type: "string",
    doc: "What the names of attributes begin with. Where an attribute and an element have the same name, the one that comes later gets `_2`.",
    default: "nothing",
    example: "@",
  },
  repeated: {
    type: "string",
    doc: "With nested=flatten: what becomes of an element that comes several times in a record: a `list` (such a column is a list in all rows; lists of neighbouring elements don't tell which values belong together, nested=keep does), its `first` value, or all of them as one text (`join`).",
    default: "list",
    choices: ["list", "first", "join"],
  },
  joiner: {
    type: "string",
    doc: "With repeated=join: what stands between the values.",
    default: ", ",
  },
  namespaces: {
    type: "string",
    doc: "Whether names keep their namespace's prefix: `strip` takes it off, `keep` leaves it (`dc:title`). Elements whose prefixes differ are different columns either way.",
    default: "strip",
    choices: ["strip", "keep"],
  },
  trim: {
    type: "boolean",
    doc: "Whether spaces and line ends around an element's text are left out.",
    default: "true",
  },
  nullStrings: {
    type: "stringList",
    doc: "Texts that mean NULL. Empty ones and `xsi:nil` always do.",
    default: "only empty ones",
    example: "NA,-",
  },
  ...textOptions,
  encoding: {
    ...textOptions.encoding,
    doc: "How the text is encoded, whatever the document says of itself: any encoding of the WHATWG Encoding Standard.",
    default: "the byte order mark, else the XML declaration, else utf-8",
  },
  ...fileOptions,
  ...parserOptions,
} as const satisfies OptionSchema;

/** What the options say. Throws UNKNOWN_OPTION, INVALID_OPTION. */
export function settingsOf(given: SourceSpec["options"]) {
  const values = parseOptions("xml", options, given);
  const nested = values.text("nested") === "keep";
  const needless = nested
    ? ["separator", "repeated", "joiner"].find((name) => values.text(name) !== undefined)
    : undefined;
  if (needless !== undefined) throw invalidOption(needless, values.text(needless), "of use with nested=keep");
  const repeated = repeatedOf(values.text("repeated"));
  if (repeated !== "join" && values.text("joiner") !== undefined)
    throw invalidOption("joiner", values.text("joiner"), "of use without repeated=join");
  const dateFormat = values.text("dateFormat");
  const timestampFormat = values.text("timestampFormat");
  return {
    recordPath: recordPathOf(values.text("recordPath")),
    nested,
    repeated,
    separator: values.text("separator") ?? "_",
    joiner: values.text("joiner") ?? ", ",
    attributePrefix: values.text("attributePrefix") ?? "",
    keepPrefixes: values.text("namespaces") === "keep",
    trim: values.flag("trim") ?? true,
    nullStrings: values.list("nullStrings") ?? [],
    encoding: encodingOf(values),
    ...(dateFormat !== undefined && { dateFormat }),
    ...(timestampFormat !== undefined && { timestampFormat }),
    ...sharedSettings(values),
    badRows: badRowsOf(values),
    parsers: parsersOf(values),
  };
}

/** What `settingsOf` answers. */
export type XmlSettings = ReturnType<typeof settingsOf>;

function recordPathOf(text: string | undefined): RecordPath | undefined {
  if (text === undefined) return undefined;
  const path = parseRecordPath(text);
  if (!path) throw invalidOption("recordPath", text, "a path of elements: /catalog/book, or //book");
  return path;
}

function repeatedOf(text: string | undefined): "list" | "first" | "join" {
  return text === "first" || text === "join" ? text : "list";
}
