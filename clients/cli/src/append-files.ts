import type { Readable } from "node:stream";
import Papa from "papaparse";
import type { AppendValue } from "../../node/src/index.ts";
import { UsageError } from "./usage-error.ts";

export interface CsvRows {
  readonly header: readonly string[];
  /** Texts, empty ones as NULL. */
  readonly rows: AsyncIterable<readonly AppendValue[]>;
}

/** The records of a CSV file as they come; the first one names the columns. */
export async function csvRows(bytes: Readable): Promise<CsvRows> {
  const parser = Papa.parse(Papa.NODE_STREAM_INPUT, {});
  // An error of the file ends the parser, and so whoever reads it.
  bytes.once("error", (error) => parser.destroy(error));
  bytes.pipe(parser);
  const records = parser[Symbol.asyncIterator]() as AsyncIterator<readonly string[]>;
  const header = await firstRecord(records);
  if (header === undefined) throw new UsageError("the file is empty: its first line must name the columns");
  const names = header.map((name, at) => (at === 0 ? name.replace(/^\uFEFF/, "") : name));
  return { header: names, rows: values(records, names.length) };
}

function isEmpty(record: readonly string[]): boolean {
  return record.length === 1 && record[0] === "";
}

async function firstRecord(records: AsyncIterator<readonly string[]>): Promise<readonly string[] | undefined> {
  for (let next = await records.next(); !next.done; next = await records.next())
    if (!isEmpty(next.value)) return next.value;
  return undefined;
}

/** An empty line is a row where there is one column: there it is a NULL. */
async function* values(
  records: AsyncIterator<readonly string[]>,
  columns: number,
): AsyncGenerator<readonly AppendValue[]> {
  for (let next = await records.next(); !next.done; next = await records.next())
    if (columns === 1 || !isEmpty(next.value)) yield next.value.map((text) => (text === "" ? null : text));
}

/** The rows of a file of JSON lines as they come: as texts, in which no number loses a digit. */
export async function* jsonRows(bytes: Readable): AsyncGenerator<string> {
  for await (const line of linesOf(bytes)) if (line.trim() !== "") yield line;
}

/** Lines by their line feeds: `readline` also cuts where JSON has a mere character, at U+2028 and U+2029. */
async function* linesOf(bytes: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Buffer) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw new UsageError("the file is not UTF-8");
    }
  };
  let rest = "";
  for await (const chunk of bytes) {
    const lines = (rest + decode(chunk as Buffer)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  rest += decode();
  if (rest !== "") yield rest;
}
