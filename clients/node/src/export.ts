import { Readable } from "node:stream";
import { columnsFrom, progressFrom } from "./answers-from-wire.ts";
import { wholeNumber } from "./checks.ts";
import { clientError } from "./errors.ts";
import { DatasetService } from "./gen/drover/v1/dataset_service_pb.js";
import { ExportCompression, type ExportEvent, ExportFormat as WireFormat } from "./gen/drover/v1/export_pb.js";
import { QueryService, type Question } from "./gen/drover/v1/query_service_pb.js";
import type { Column, Labels, Progress } from "./model.ts";
import type { Filter } from "./query/filter.ts";
import type { WaitOptions } from "./query/query.ts";
import type { Transport } from "./transport/transport.ts";

/** A format of files. `json` is one array, `jsonl` an object for each line, `arrow` an IPC stream. */
export type ExportFormat = "csv" | "tsv" | "json" | "jsonl" | "xml" | "parquet" | "arrow";

/** How rows are written, and what the driver shall do meanwhile. */
export interface ExportOptions extends WaitOptions {
  readonly format: ExportFormat;
  /** Default: none; Parquet zstd, inside of the file. */
  readonly compression?: "none" | "gzip" | "zstd" | undefined;
  /** CSV, TSV: whether the first line holds the columns' names. Default: true. */
  readonly header?: boolean | undefined;
  /** CSV, TSV: one character. Default: a comma, a tab. */
  readonly delimiter?: string | undefined;
  /** CSV, TSV: what stands for NULL. Default: nothing; empty texts are `""`. */
  readonly nullText?: string | undefined;
  /** XML: the root element's name. Default: `rows`. */
  readonly xmlRoot?: string | undefined;
  /** XML: the name of a row's element. Default: `row`. */
  readonly xmlRecord?: string | undefined;
  /** Chosen by the client, so that the export can be cancelled before it has said its id. Default: made by the driver. */
  readonly operationId?: string | undefined;
  readonly labels?: Labels | undefined;
  /** Told how far the export is, at most 10 times a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Which rows of a dataset are exported. */
export interface DatasetExportOptions extends ExportOptions {
  /** Default: all. */
  readonly columns?: readonly string[] | undefined;
  readonly where?: Filter | undefined;
  /** Default: the current one. */
  readonly version?: number | undefined;
  /** At most so many rows. Default: all. */
  readonly limit?: number | undefined;
}

/** What an export has given. */
export interface ExportSummary {
  readonly rows: number;
  readonly bytes: number;
  /** The versions that were read, by dataset. */
  readonly versions: Readonly<Record<string, number>>;
}

type Start = () => AsyncIterable<{ readonly event?: ExportEvent | undefined }>;

const formats: Readonly<Record<ExportFormat, WireFormat>> = {
  csv: WireFormat.CSV,
  tsv: WireFormat.TSV,
  json: WireFormat.JSON,
  jsonl: WireFormat.JSON_LINES,
  xml: WireFormat.XML,
  parquet: WireFormat.PARQUET,
  arrow: WireFormat.ARROW,
};

const compressions = {
  none: ExportCompression.NONE,
  gzip: ExportCompression.GZIP,
  zstd: ExportCompression.ZSTD,
} as const;

/**
 * The bytes of a file that the driver makes while they are read: `for await (const bytes of …)`, or as a stream of Node. It runs once,
 * when it is first read. Leaving the iteration cancels it. One that ends without an error is whole.
 */
export class Export implements AsyncIterable<Uint8Array> {
  readonly #start: Start;
  readonly #options: ExportOptions;
  #operationId: string;
  #columns: readonly Column[] = [];
  #summary: ExportSummary | undefined;
  #consumed = false;

  constructor(start: Start, options: ExportOptions) {
    this.#start = start;
    this.#options = options;
    this.#operationId = options.operationId ?? "";
  }

  /** The operation's id; empty until the driver has said it. */
  get operationId(): string {
    return this.#operationId;
  }

  /** The columns of the rows; empty until there are bytes. */
  get columns(): readonly Column[] {
    return this.#columns;
  }

  /** What was exported; undefined until all was read. */
  get summary(): ExportSummary | undefined {
    return this.#summary;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#consumed) throw clientError("ALREADY_CONSUMED", "this export has been run");
    this.#consumed = true;
    let bytes = 0;
    for await (const { event } of this.#start()) {
      const data = this.#take(event?.event);
      if (data === undefined) continue;
      bytes += data.length;
      yield data;
    }
    const summary: ExportSummary | undefined = this.#summary;
    if (summary === undefined) throw clientError("STREAM_CUT", "the export ended before it was complete");
    if (summary.bytes !== bytes)
      throw clientError("UNEXPECTED_MESSAGE", `the export has ${summary.bytes} bytes, and ${bytes} came`);
  }

  /** The bytes as a stream of Node; destroying it cancels the export. */
  readable(): Readable {
    return Readable.from(this, { objectMode: false });
  }

  #take(event: ExportEvent["event"] | undefined): Uint8Array | undefined {
    switch (event?.case) {
      case "accepted":
        this.#operationId = event.value.operationId;
        return undefined;
      case "progress":
        this.#options.onProgress?.(progressFrom(event.value));
        return undefined;
      case "begun":
        this.#columns = columnsFrom(event.value.columns);
        return undefined;
      case "data":
        return event.value;
      case "completed": {
        const { rows, bytes, versions } = event.value;
        const numbers = Object.entries(versions).map(([dataset, version]) => [dataset, Number(version)]);
        this.#summary = { rows: Number(rows), bytes: Number(bytes), versions: Object.fromEntries(numbers) };
        return undefined;
      }
      default:
        return undefined;
    }
  }
}

export function exportDataset(transport: Transport, dataset: string, options: DatasetExportOptions): Export {
  const { columns = [], where, version = 0, limit = 0 } = options;
  const request = {
    dataset,
    columns: [...columns],
    version: wholeNumber("version", version),
    limit: wholeNumber("limit", limit),
    ...(where && { filter: where.wire }),
    ...common(options),
  };
  const start: Start = () => transport.stream(DatasetService.method.exportDataset, request, options);
  return new Export(start, options);
}

export function exportQuestion(transport: Transport, question: Question, options: ExportOptions): Export {
  const request = { question, ...common(options) };
  const start: Start = () => transport.stream(QueryService.method.exportQuery, request, options);
  return new Export(start, options);
}

function common({ format, compression, operationId = "", labels, noWait = false, ...options }: ExportOptions) {
  const wireFormat = formats[format];
  if (wireFormat === undefined) {
    const known = Object.keys(formats).join(", ");
    throw clientError("INVALID_ARGUMENT", `unknown export format "${String(format)}"; known: ${known}`);
  }
  const { header, delimiter, nullText, xmlRoot, xmlRecord } = options;
  const layout = {
    format: wireFormat,
    compression: compression === undefined ? ExportCompression.UNSPECIFIED : compressions[compression],
    ...(header !== undefined && { header }),
    ...(delimiter !== undefined && { delimiter }),
    ...(nullText !== undefined && { nullText }),
    ...(xmlRoot !== undefined && { xmlRoot }),
    ...(xmlRecord !== undefined && { xmlRecord }),
  };
  return { layout, operationId, labels: { ...labels }, noWait };
}
