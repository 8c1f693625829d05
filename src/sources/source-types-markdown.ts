import type { SourceTypes } from "./database/source-type.ts";
import { mysqlTypes } from "./mysql/type-rows.ts";
import { postgresTypes } from "./postgres/type-rows.ts";

const INTRODUCTION = `<!-- Generated from the types of src/sources; do not edit. -->
# Types of databases

What the columns of databases become. No value loses anything on its way: what a type of the dataset can't hold becomes text or an
error, never another value. \`types=name=TYPE\` declares another type for a column; what does not fit is an error.
`;

/** docs/source-types.md. */
export function sourceTypesMarkdown(all: readonly SourceTypes[] = [postgresTypes, mysqlTypes]): string {
  return [INTRODUCTION, ...all.map(section)].join("\n");
}

function section({ name, rows, notes }: SourceTypes): string {
  const lines = rows.map(({ source, column, note }) => `| ${source} | ${column} | ${note} |`);
  return `## ${name}

| type | column | |
|---|---|---|
${lines.join("\n")}

${notes.map((note) => `- ${note}`).join("\n")}
`;
}
