import { boundedFunctions, MAX_MADE_LENGTH } from "./bounded-calls.ts";
import { type FunctionGroup, functionGroups, tableFunctions } from "./functions.ts";
import { MAX_DEPTH } from "./select-check.ts";
import { MAX_SQL_LENGTH } from "./syntax-tree.ts";

const number = new Intl.NumberFormat("en-US");

/** The text of docs/sql.md: what a user's SELECT may do, with every function of the allow-list. */
export function sqlFunctionsMarkdown(): string {
  const groups = [...functionGroups, tableFunctions].map(groupMarkdown).join("\n");
  return `${rules()}\n\n${groups}`;
}

function groupMarkdown({ title, about, names }: FunctionGroup): string {
  const list = [...names]
    .sort()
    .map((name) => `\`${name.replaceAll("|", "\\|")}\``)
    .join(" ");
  return `### ${title}\n\n${about ? `${about}\n\n` : ""}${list}\n`;
}

function rules(): string {
  const bounded = boundedFunctions.map((name) => `\`${name}\``).join(", ");
  return `<!-- Generated from src/engine/duckdb/sandbox; do not edit. -->
# SQL over datasets

\`drover sql\` and the contract's \`SqlQuery\` take **exactly one SELECT** in the engine's dialect
([DuckDB](https://duckdb.org/docs/stable/sql/introduction)). It reads datasets and nothing else: no files, network, settings,
environment, secrets, catalog tables or other databases. What is refused says what, why and where (\`SQL_FORBIDDEN\`); what can't
be understood says where (\`SQL_INVALID\`).

## Tables

- A table is a dataset, by its name: \`FROM flights\`, or in double quotes where it is no plain word: \`FROM "Flights 2024"\`.
  The name is taken exactly as written; \`Flights\` and \`flights\` are two datasets.
- A column that gets no name is called by the engine after its expression, in which datasets are \`"dataset 1"\`, \`"dataset 2"\`, …
- It is the dataset's current version, the same one wherever the SELECT names it.
- A \`WITH\` clause hides a dataset of its name, in small or capital letters. Its own text still sees the dataset:
  \`WITH flights AS (SELECT * FROM flights WHERE delay > 0) SELECT count(*) FROM flights\`. Its name may not hold
  \`. / \\ : * ? [ ]\` or begin like a system table (\`duckdb_\`, \`pg_\`, \`sqlite_\`, \`pragma_\`).
- Names with a schema or database (\`main.flights\`), names in single quotes, \`TABLE flights\`, \`AT (…)\` and hidden columns such as
  \`rowid\` and \`filename\` are not available.

## Constructs

Joins of every kind, subqueries, \`LATERAL\`, \`WITH\` and \`WITH RECURSIVE\`, \`UNION\`, \`INTERSECT\`, \`EXCEPT\`, \`VALUES\`, windows,
\`QUALIFY\`, \`GROUPING SETS\`, \`ROLLUP\`, \`CUBE\`, \`FILTER\`, \`DISTINCT ON\`, samples, \`FROM\` first, \`COLUMNS(…)\`, \`EXCLUDE\`,
\`REPLACE\`, \`RENAME\`, lambdas, list comprehensions, the SQL standard's \`PIVOT (… FOR … IN (…))\` and \`UNPIVOT (…)\`, casts to the
built-in types. Not: other statements, the statements \`PIVOT\` and \`UNPIVOT\`, \`DESCRIBE\`, \`SHOW\`, \`SUMMARIZE\`, \`EXPLAIN\`,
\`SELECT INTO\`, locking clauses, user-defined types.

Values come apart from the text, as \`?\` or \`$1\`, \`$2\`, … without gaps; \`$name\` is not available. Without a zone given, the time
zone is UTC.

## Limits

- ${number.format(MAX_SQL_LENGTH)} characters, ${MAX_DEPTH} levels of nesting, and some 10,000 expressions beside the constants of long lists.
- Expressions that the engine copies (the operand of \`CASE x WHEN\` or \`BETWEEN\`, names of the select list used again in it,
  lambdas, macros such as \`nullif\`) may not be nested in each other until the query grows beyond 20,000 expressions.
- A function that makes a long value from short arguments needs them written out: at most ${number.format(MAX_MADE_LENGTH)} characters or elements from
  ${bounded}. In FROM, \`range\` and \`generate_series\` have no bound: they stream.
- Time and memory are those of every query: a recursion or a join without end runs until it is cancelled, its deadline passes or
  the memory limit is met.

## Functions

Everything that is not listed is refused, so that a newer engine opens nothing by itself. A function is on the list if its answer
depends on its arguments, the clock or chance alone, and if no argument of it is the name of a table, a file or another function.`;
}
