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

/** docs/sources.md: made from the options' schemas. */
export function sourcesMarkdown(all: readonly SourceKind[] = sourceKinds): string {
  return [INTRODUCTION, ...all.map(section)].join("\n");
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
