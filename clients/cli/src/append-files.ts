import { createInterface } from "node:readline";
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
  const parser = Papa.parse(Papa.NODE_STREAM_INPUT, { skipEmptyLines: "greedy" });
  // An error of the file ends the parser, and so whoever reads it.
  bytes.once("error", (error) => parser.destroy(error));
  bytes.pipe(parser);
  const records = parser[Symbol.asyncIterator]() as AsyncIterator<readonly string[]>;
  const { done, value: header } = await records.next();
  if (done) throw new UsageError("the file is empty: its first line must name the columns");
  return { header: header.map((name, at) => (at === 0 ? name.replace(/^\uFEFF/, "") : name)), rows: values(records) };
}

async function* values(records: AsyncIterator<readonly string[]>): AsyncGenerator<readonly AppendValue[]> {
  for (let next = await records.next(); !next.done; next = await records.next())
    yield next.value.map((text) => (text === "" ? null : text));
}

/** The rows of a file of JSON lines as they come: as texts, in which no number loses a digit. */
export async function* jsonRows(bytes: Readable): AsyncGenerator<string> {
  for await (const line of createInterface({ input: bytes, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== "") yield line;
  }
}
