import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A dataset of a case file: the SELECT whose rows and types it has. */
export interface CaseDataset {
  readonly name: string;
  readonly sql: string;
}

/** A query with what it must give. */
export interface Case {
  /** `file.case:line`. */
  readonly place: string;
  readonly name: string;
  readonly dataset: CaseDataset;
  /** An AggregateQuery as protojson; its `dataset` is filled in. */
  readonly query: Readonly<Record<string, unknown>>;
  /** Names and rows as written; absent where `error` is. */
  readonly expected?: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** The same question in SQL over a table with the dataset's name, its rows in the same order. */
  readonly sql?: string;
  /** The reason and, relative to the query, the field of the error that the query must give. */
  readonly error?: { readonly reason: string; readonly field: string };
}

const FOLDER = join(import.meta.dirname, "../cases");
const KEYWORD = /^(dataset|case|query|expect|sql|error)\b ?(.*)$/;

/**
 * Reads every case under test/cases. A file holds sections, each begun by a keyword: `dataset NAME` and a SELECT; then cases:
 * `case NAME`, `query` and protojson, and either `expect` (a header and rows, cells between `|`, in the order of the result)
 * with `sql` (an independent formulation), or `error REASON FIELD`. Cases ask the dataset above them. `#` begins a comment.
 */
export function loadCases(): readonly Case[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".case"));
  return files.sort().flatMap((file) => parseCases(readFileSync(join(FOLDER, file), "utf8"), basename(file)));
}

interface Section {
  readonly keyword: string;
  readonly title: string;
  readonly line: number;
  readonly body: string[];
}

function sections(text: string, file: string): readonly Section[] {
  const found: Section[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.startsWith("#")) continue;
    const [, keyword, title = ""] = KEYWORD.exec(line) ?? [];
    if (keyword !== undefined) found.push({ keyword, title: title.trim(), line: index + 1, body: [] });
    else if (found.length > 0) found.at(-1)?.body.push(line);
    else if (line.trim() !== "") throw new Error(`${file}:${index + 1}: expected a keyword`);
  }
  return found;
}

/** Parses one file's text. */
export function parseCases(text: string, file: string): readonly Case[] {
  const cases: Case[] = [];
  let dataset: CaseDataset | undefined;
  for (const { keyword, title, line, body } of sections(text, file)) {
    const content = body.join("\n").trim();
    const current = cases.at(-1);
    if (keyword === "dataset") dataset = { name: title, sql: content };
    else if (keyword === "case") {
      if (dataset === undefined) throw new Error(`${file}:${line}: a case needs a dataset above it`);
      cases.push({ place: `${file}:${line}`, name: title, dataset, query: {} });
    } else if (current === undefined) throw new Error(`${file}:${line}: ${keyword} needs a case above it`);
    else cases[cases.length - 1] = { ...current, ...part(keyword, title, content, current) };
  }
  return cases;
}

function part(keyword: string, title: string, content: string, { dataset, place }: Case): Partial<Case> {
  switch (keyword) {
    case "query":
      return { query: { dataset: dataset.name, ...parseJson(`${title}\n${content}`, place) } };
    case "expect":
      return { expected: parseTable(content) };
    case "sql":
      return { sql: `${title} ${content}`.trim() };
    default: {
      const [reason = "", field = ""] = title.split(" ");
      return { error: { reason, field } };
    }
  }
}

function parseJson(text: string, place: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${place}: ${error instanceof Error ? error.message : error}`);
  }
}

function parseTable(content: string): NonNullable<Case["expected"]> {
  const [header = "", ...lines] = content.split("\n").filter((line) => line.trim() !== "");
  const cells = (line: string) => line.split("|").map((cell) => cell.trim());
  return { columns: cells(header).map(parseCell), rows: lines.map(cells) };
}

/** A written cell as text: `"..."` is JSON, which keeps spaces and bars (as \u007c); `NULL` is no value. */
function parseCell(cell: string): string {
  return cell.startsWith('"') ? JSON.parse(cell) : cell;
}

/** How two results may differ: sums of doubles are added in any order. */
const TOLERANCE = 1e-9;

/** Whether a value of a result is what a cell says. */
export function matchesCell(value: unknown, cell: string): boolean {
  if (cell === "NULL") return value === null;
  if (value === null) return false;
  const expected = parseCell(cell);
  if (typeof value === "number") return closeTo(value, Number(expected));
  return (typeof value === "object" ? JSON.stringify(value) : String(value)) === expected;
}

/** Whether two values of results are the same; a whole number may have more bits in one of them, and then is text. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") return closeTo(a, b);
  if (typeof a === "string" && typeof b === "number") return a === String(b);
  if (typeof a === "number" && typeof b === "string") return String(a) === b;
  return JSON.stringify(a) === JSON.stringify(b);
}

function closeTo(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}
