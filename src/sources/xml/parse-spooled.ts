import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { chunksOf } from "../../engine/byte-stream.ts";
import type { FileScan, RejectedRow, ScanColumn } from "../../engine/file-scan.ts";
import { decodeText, encodeRows } from "../exchange/decode-text.ts";
import { numberBefore, type PlaceOf, placed, rejectedRows, writeCopy } from "../parsers/copy-files.ts";
import type { RowParser } from "../parsers/options.ts";
import { RowParsing } from "../parsers/parse-rows.ts";
import { readyParsers } from "../parsers/run-parsers.ts";
import type { ParserSettings } from "../parsers/settings.ts";

export interface ParseOptions {
  readonly signal: AbortSignal;
  readonly workDirectory: string;
  readonly parsers: ParserSettings | undefined;
}

interface Copy {
  readonly path: string;
  readonly bytes: number;
  readonly original: string;
  readonly skipped: readonly number[];
}

/** Puts what parsers make of records' texts in the place of those, in copies of the files that hold the records. */
export async function parseSpooled(
  scan: FileScan,
  parsers: ReadonlyMap<string, RowParser>,
  options: ParseOptions,
): Promise<FileScan> {
  const ready = await readyParsers(parsers, options.parsers);
  const columns = scan.columns ?? [];
  const parsing = new RowParsing(
    columns.map(({ name }) => name),
    ready,
    scan.badRows,
  );
  const copies: Copy[] = [];
  const samples: RejectedRow[] = [];
  for (const original of scan.paths) {
    const placeOf: PlaceOf = async (ordinals) => (await scan.locate?.(original, ordinals, options)) ?? new Map();
    const rows = async function* () {
      for await (const batch of decodeText(chunksOf(original, options), { lists: true }))
        yield encodeRows(parsing.run(batch));
    };
    const file = scan.origins[0]?.path ?? original;
    try {
      const copy = await writeCopy(rows(), `parsed-${basename(original)}`, options);
      copies.push({ ...copy, original, skipped: parsing.skipped });
    } catch (error) {
      throw await placed(error, file, placeOf);
    }
    samples.push(...(await rejectedRows(parsing.samples, file, placeOf)));
    parsing.nextFile();
    await rm(original);
  }
  const made = parsing.columns;
  return {
    ...scan,
    paths: copies.map(({ path }) => path),
    totalBytes: copies.reduce((total, { bytes }) => total + bytes, 0),
    columns: columns.map((column): ScanColumn => {
      const found = Object.hasOwn(made, column.name) ? made[column.name] : undefined;
      if (found === undefined) return column;
      const { name, sourceName } = column;
      if (found.isList) return { name, sourceName, type: `${found.type}[]`, origin: "exact", encoding: "list" };
      return { name, sourceName, type: found.type, origin: "exact" };
    }),
    rejected: { rows: parsing.skippedRows, samples },
    locate: async (path, ordinals, given) => {
      const copy = copies.find((candidate) => candidate.path === path);
      if (!copy || !scan.locate) return new Map();
      const numbers = new Map(ordinals.map((ordinal) => [numberBefore(ordinal, copy.skipped), ordinal]));
      const found = await scan.locate(copy.original, [...numbers.keys()], given);
      return new Map([...found].map(([number, place]) => [numbers.get(number) ?? number, place]));
    },
  };
}
