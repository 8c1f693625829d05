import { secretOption } from "./common-options.ts";
import type { SourceKind } from "./connector.ts";
import { sourceKinds } from "./kinds.ts";
import type { OptionEntry, OptionSchema } from "./options.ts";

const INTRODUCTION = `<!-- Generated from the options of src/sources; do not edit. -->
# Sources

A source is a format, a place and options. The place is an absolute path on the driver's machine, a glob
(\`/data/2024-*.csv.gz\`, read in the order of the names; all files must have the same columns) or a \`file:\` URI. Files that end
in \`.gz\` or \`.zst\` are decompressed. Every option may be given as text: \`-o key=value\` in the CLI, lists as \`a,b\` or JSON, maps
as \`a=INTEGER,b=DATE\` or JSON. Databases are named by a URL without a password, or by a stored connection; [connections](connections.md) says
how passwords are given, and how a source gets a name.

Types are inferred from the first rows and hold for all rows: what a type can't keep whole (leading zeros, more than 15
significant digits, an offset of a timestamp, a fraction finer than its unit) makes the column a wider type or text, wherever in
the file it stands. When that shows late, the load starts over once with the wider type and says so in a warning.
`;

const VALUE_PARSERS = `## Value parsers

Raw values that need help get a parser, by the column's name: \`-o "parsers.price=replace(value, ',', '.')::DECIMAL(18,2)"\` in the
CLI, \`{"parsers": {"price": "…"}}\` in the API. Any entry of a map may be given so, by its own name.

- **A SQL expression** over \`value\`, the raw text (NULL stays NULL unless the expression says otherwise). It runs in the engine, with the
  [functions of queries](sql.md) but without aggregates, windows, subqueries and what differs from call to call. Its type is the column's; \`types\` casts
  the result. For JSON, \`value\` is a string's text, and any other value as it is written.
- **\`js:NAME\`**, a function that one of the modules of the setting \`parsers.modules\` exports. It gets the text or null and answers a text, a number, a bigint, a
  boolean, a Date, null, or (except for databases) a list of these, at once and not by a promise. It runs in a worker, and what needs longer than
  \`parsers.timeout\` for 1,000 values is stopped. The types of what it makes are found as in CSV.
- **\`xml(PATH)\`** takes a text out of XML that is kept in a column: \`order/line/@sku\`, \`order/line[2]/sku\`, \`*/total\`; a path
  that leads to several places is an error unless it ends in \`[]\`, which makes a list. Documents have 4 Mi characters at most and no entities of their own.

In a column that is a list (XML), each entry is parsed. A value that a parser fails at is an error with line, column and value; with
\`badRows=skip\` its row is left out and counted. Parsers in SQL keep a load's speed; the others read rows in JavaScript and write a copy of the
text beside the load, as long as it runs.
`;

/** docs/sources.md: made from the options' schemas. */
export function sourcesMarkdown(all: readonly SourceKind[] = sourceKinds): string {
  return [INTRODUCTION, VALUE_PARSERS, ...all.map(section)].join("\n");
}

function section({ kind, summary, extensions, schemes = [], options, connectionOptions }: SourceKind): string {
  const endings = extensions.map((extension) => `\`.${extension}\``).join(", ");
  const urls = schemes.map((scheme) => `\`${scheme}://\``).join(", ");
  const places = [endings && ` Endings: ${endings}.`, urls && ` URLs: ${urls}.`].join("");
  const connection =
    connectionOptions === undefined
      ? ""
      : `\nWhat its connections take, or a source beside its URL:\n\n${table({ ...connectionOptions, ...secretOption })}\n`;
  return `## ${kind}

${summary}${places}

${table(options)}
${connection}`;
}

function table(options: OptionSchema): string {
  const rows = Object.entries(options).map(([name, entry]) => row(name, entry));
  return ["| option | takes | meaning | default |", "|---|---|---|---|", ...rows].join("\n");
}

const TAKES: Readonly<Record<OptionEntry["type"], string>> = {
  string: "text",
  boolean: "true or false",
  integer: "a whole number",
  stringList: "a list",
  stringMap: "a map",
};

function row(name: string, { type, doc, default: usual, example, choices }: OptionEntry): string {
  const takes = choices ? choices.map((choice) => `\`${choice}\``).join(", ") : TAKES[type];
  const meaning = example === undefined ? doc : `${doc} Example: \`${example}\`.`;
  return `| \`${name}\` | ${cell(takes)} | ${cell(meaning)} | ${cell(usual ?? "")} |`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
