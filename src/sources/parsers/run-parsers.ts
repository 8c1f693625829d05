import { DriverError } from "../../errors/driver-error.ts";
import { functionNamed, loadParserFunctions, type ParserFunction, withinTime } from "./js-functions.ts";
import type { RowParser } from "./options.ts";
import type { ParserSettings } from "./settings.ts";
import { valueInXml } from "./xml-value.ts";

/** What a parser made of a text. */
export type Parsed = string | null | readonly (string | null)[];

/** A text that a parser can't take. */
export class ParserFailure {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** A parser that is ready. */
export interface BatchParser {
  /** Whether it makes lists of whatever it gets. */
  readonly makesLists: boolean;
  /** Throws VALUE_PARSER_FAILED where it takes too long. */
  run(texts: readonly (string | null)[]): readonly (Parsed | ParserFailure)[];
}

const NONE: ParserSettings = { modules: [], timeoutMs: 5_000 };

/** Makes parsers ready to run; modules are loaded only if one of them is needed. */
export async function readyParsers(
  parsers: ReadonlyMap<string, RowParser>,
  settings: ParserSettings = NONE,
): Promise<ReadonlyMap<string, BatchParser>> {
  const needsModules = [...parsers.values()].some(({ kind }) => kind === "js");
  const functions = needsModules ? await loadParserFunctions(settings) : new Map<string, ParserFunction>();
  return new Map(
    [...parsers].map(([column, parser]) => [column, ready(column, parser, functions, settings.timeoutMs)]),
  );
}

function ready(
  column: string,
  parser: RowParser,
  functions: ReadonlyMap<string, ParserFunction>,
  timeoutMs: number,
): BatchParser {
  if (parser.kind === "xml") {
    const { path } = parser;
    return {
      makesLists: path.all,
      run: (texts) => texts.map((text) => attempt(() => (text === null ? null : valueInXml(text, path)))),
    };
  }
  const work = functionNamed(functions, parser.name);
  return { makesLists: false, run: (texts) => runFunction(work, texts, { column, name: parser.name, timeoutMs }) };
}

function attempt(work: () => Parsed): Parsed | ParserFailure {
  try {
    return work();
  } catch (error) {
    return new ParserFailure(messageOf(error));
  }
}

/** Whatever a function throws, of which even the message may throw. */
function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "it threw something that has no text";
  }
}

interface FunctionOptions {
  readonly column: string;
  readonly name: string;
  readonly timeoutMs: number;
}

const MAX_SHOWN = 200;

function runFunction(
  work: ParserFunction,
  texts: readonly (string | null)[],
  { column, name, timeoutMs }: FunctionOptions,
): readonly (Parsed | ParserFailure)[] {
  const results: (Parsed | ParserFailure)[] = [];
  const inTime = withinTime(() => {
    for (const text of texts) results.push(attempt(() => parsedOf(work(text))));
  }, timeoutMs);
  if (inTime) return results;
  const value = (texts[results.length] ?? "NULL").slice(0, MAX_SHOWN);
  throw new DriverError(
    "VALUE_PARSER_FAILED",
    `column ${JSON.stringify(column)}: js:${name} took longer than ${timeoutMs} ms for a batch and was stopped at ${JSON.stringify(value)}`,
    { metadata: { column, value, parser: `js:${name}` } },
  );
}

/** What a function answered, as text for the types to be found of. */
function parsedOf(value: unknown): Parsed {
  return Array.isArray(value) ? value.map(textOf) : textOf(value);
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") {
    if (value.isWellFormed()) return value;
    throw new Error("it answered half of a surrogate pair, which no text can hold");
  }
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (value instanceof Date) return value.toISOString();
  // What nobody waits for must not end the worker when it fails.
  if (value instanceof Promise) value.catch(() => undefined);
  throw new Error(
    `it answered ${value instanceof Promise ? "a promise" : `a value of type ${typeof value}`}, not a text or number`,
  );
}
