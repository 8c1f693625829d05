import { typeTable } from "./type-table.ts";

/** The text of docs/types.md. */
export function typesMarkdown(): string {
  const rows = typeTable.map(
    ({ type, kind, arrow, json, example }) => `| \`${type}\` | ${kind} | ${arrow} | ${json} | \`${example}\` |`,
  );
  return `<!-- Generated from src/engine/duckdb/types/type-table.ts; do not edit. -->
# Types

The type of a column is the engine's own, as SQL text; its kind is the family it belongs to. Values travel without loss in
both forms: as Arrow, or as JSON for clients that ask for rows. Text is UTF-8. NULL is \`null\` in JSON and has no bit in Arrow's
validity bitmap.

| engine type | kind | Arrow | JSON | for example |
|---|---|---|---|---|
${rows.join("\n")}

## What to know
- In JSON every number with 64 bits or more, and every decimal, is a string: a JavaScript number would lose digits.
- Arrow fields carry the engine type in their metadata under \`drover.type\`.
- \`sum\` of integers is a HUGEINT. It has up to 39 digits, one more than Arrow's 128-bit decimals may have, so it is one of 256 bits.
- ENUM travels as text, so a result is one schema message and record batches; there are no dictionary batches.
- Years are written with four digits from 0000 to 9999, else with a sign and at least six: \`+012024-02-29\`, and \`-000043-03-15\` for
  44 BC. Fractions of seconds have no trailing zeros.
- In Arrow the infinite dates are the largest 32-bit number and its negative, the infinite timestamps those of 64 bits.
- An interval has months, days and microseconds, and none is turned into another. Arrow counts the last in nanoseconds, so an
  interval of more than 292 years of hours fails with VALUE_OUT_OF_RANGE there; as rows it works.
- Two columns of one name in a result are told apart by a number: \`a\`, \`a_2\`.
`;
}
