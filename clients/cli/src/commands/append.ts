import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { extname } from "node:path";
import type { Readable } from "node:stream";
import { type Command, Option } from "commander";
import { type AppendProgress, type AppendSource, type AppendStatus, DroverError } from "../../../node/src/index.ts";
import { type CsvRows, csvRows, jsonRows } from "../append-files.ts";
import type { Act, Context } from "../context.ts";
import { parseLabels } from "../grammar/assignment.ts";
import { repeatable } from "../options.ts";
import { printable } from "../render/cell.ts";
import { ProgressBar } from "../render/progress-bar.ts";
import { durationText, plural, shortCount } from "../render/units.ts";
import { UsageError } from "../usage-error.ts";

interface AppendFlags {
  readonly format?: Format;
  readonly id?: string;
  readonly create: readonly string[];
  readonly label: readonly string[];
}

const formats = ["csv", "json", "arrow"] as const;
type Format = (typeof formats)[number];
const endings: Readonly<Record<string, Format>> = {
  ".csv": "csv",
  ".json": "json",
  ".jsonl": "json",
  ".ndjson": "json",
  ".arrows": "arrow",
  ".arrow": "arrow",
};

/** `drover append NAME FILE` */
export function registerAppend(program: Command, act: Act): void {
  program
    .command("append <dataset> <file>")
    .description("append the rows of a file to a dataset; - reads standard input, row by row as they come")
    .addOption(
      new Option("-f, --format <FORMAT>", "csv, json (lines) or arrow (stream) (default: from the ending)").choices(
        formats,
      ),
    )
    .option("--id <ID>", "the append's id; that of one that was broken off goes on with it (default: a new one)")
    .addOption(repeatable("--create <COLUMN=TYPE>", "a column of the dataset if it is to be made; may be repeated"))
    .addOption(repeatable("--label <KEY=VALUE>", "a label of operation and new dataset; may be repeated"))
    .addHelpText(
      "after",
      `
Examples:
  drover append flights new-flights.csv
  tail -f events.jsonl | drover append events - -f json
  drover append readings today.csv --create at=TIMESTAMP --create value=DOUBLE
`,
    )
    .action(act(appendFile));
}

async function appendFile(context: Context, dataset: string, file: string, flags: AppendFlags): Promise<void> {
  const { globals, output, call } = context;
  const source = await open(file, flags.format);
  const appendId = flags.id ?? randomUUID();
  const labels = parseLabels(flags.label);
  const create = parseLabels(flags.create);
  await using drover = await context.connect();
  const bar = new ProgressBar(output.stderr, printable(dataset));
  const began = performance.now();
  const onProgress = (progress: AppendProgress) => bar.update(shown(progress, began));
  const columns = source.columns === undefined ? {} : { columns: source.columns };
  try {
    const options = { ...call, appendId, labels, create, onProgress, ...columns };
    const status = await drover.append(dataset, source.rows, options);
    bar.clear();
    if (globals.json) return output.document({ append: status });
    await output.write(`${finished(status, performance.now() - began)}\n`);
  } catch (error) {
    bar.clear();
    if (!globals.json && file !== "-" && mayGoOn(error)) output.note(`--id ${appendId} goes on with it`);
    throw error;
  }
}

interface Opened {
  readonly rows: AppendSource;
  readonly columns?: readonly string[];
}

async function open(file: string, asked: Format | undefined): Promise<Opened> {
  if (file === "") throw new UsageError("the path is empty");
  const format = asked ?? endings[extname(file).toLowerCase()];
  if (format === undefined)
    throw new UsageError(`say by --format how ${file === "-" ? "standard input" : file} is written`);
  const bytes: Readable = file === "-" ? process.stdin : createReadStream(file);
  if (format === "arrow") return { rows: bytes as AsyncIterable<Uint8Array> };
  if (format === "json") return { rows: jsonRows(bytes) };
  const { header, rows }: CsvRows = await csvRows(bytes);
  return { rows, columns: header };
}

function shown({ durableRows, sentRows }: AppendProgress, began: number) {
  const seconds = Math.max((performance.now() - began) / 1000, 0.001);
  return {
    ...{ fraction: undefined, bytes: 0, totalBytes: 0, bytesPerSecond: 0 },
    rows: durableRows,
    rowsPerSecond: durableRows / seconds,
    phase: sentRows > durableRows ? `${shortCount(sentRows - durableRows)} on their way` : "",
  };
}

function finished({ dataset, rows, version }: AppendStatus, ms: number): string {
  const rate = `${shortCount(rows / Math.max(ms / 1000, 0.001))} rows/s`;
  return `${printable(dataset)}: version ${version}, ${plural(rows, "row")} appended in ${durationText(ms)} (${rate})`;
}

const final: ReadonlySet<string> = new Set([
  "MALFORMED_ROWS",
  "MALFORMED_ARROW",
  "UNKNOWN_COLUMN",
  "LOAD_TYPE_MISMATCH",
  "DATASET_NOT_FOUND",
  "INVALID_REQUEST",
  "INVALID_ARGUMENT",
]);

function mayGoOn(error: unknown): boolean {
  return error instanceof DroverError && !final.has(error.reason);
}
