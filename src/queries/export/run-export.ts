import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { QueryResult, Statement } from "../../engine/engine.ts";
import type { Column, EngineProgress } from "../../engine/types.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { JsonObject, OperationHandle, OperationProgress } from "../../operations/model.ts";
import type { EventStream } from "../event-stream.ts";
import { makeFresh } from "../make-fresh.ts";
import { type PrepareOptions, prepareQuestion } from "../prepare.ts";
import { ROW_BATCH } from "../run-query.ts";
import type { CallOptions } from "../service.ts";
import { PinnedVersions } from "../versions.ts";
import { compressed, pieces } from "./bytes.ts";
import type {
  Compression,
  ExportCompletion,
  ExportEvent,
  ExportLayout,
  ExportRequest,
  ExportSubject,
} from "./model.ts";
import { planExport } from "./plan-export.ts";
import type { ExportParts } from "./service.ts";
import { type TextLayout, textWriter } from "./text.ts";

type Stream = EventStream<ExportEvent>;

/** The end of an Arrow IPC stream. */
const END_OF_STREAM = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
const FILE_CHUNK_BYTES = 256 * 1024;

/** One export under way. */
export class Export {
  readonly #parts: ExportParts;
  readonly #request: ExportRequest;
  readonly #compression: Compression;
  readonly #options: CallOptions;
  readonly #handle: OperationHandle;
  readonly #stream: Stream;
  #bytes = 0;

  constructor(
    parts: ExportParts,
    request: ExportRequest,
    compression: Compression,
    options: CallOptions,
    handle: OperationHandle,
    stream: Stream,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#compression = compression;
    this.#options = options;
    this.#handle = handle;
    this.#stream = stream;
  }

  async run(): Promise<{ result: ExportCompletion; outcome: JsonObject }> {
    const result = this.#request.layout.format === "parquet" ? await this.#parquet() : await this.#streamed();
    return { result, outcome: { ...result } };
  }

  /** Rows go out as the engine finds them. */
  async #streamed(): Promise<ExportCompletion> {
    const { signal } = this.#handle;
    await using started = await this.#whenReadable(async (stack, prepared) => {
      const limits = this.#request.layout.format === "arrow" ? {} : ROW_BATCH;
      const result = stack.use(
        await this.#parts.engine.query(prepared.statement, { signal, onProgress: this.#onProgress, ...limits }),
      );
      return { prepared, result };
    });
    const { prepared, result } = started.value;
    const total = prepared.rows;
    let rows = 0;
    const counted = (more: number) => {
      rows += more;
      this.#report({ rows, ...(total && { fraction: rows / total }) });
    };
    try {
      await this.#send(result.columns, compressed(encode(result, this.#request.layout, counted), this.#compression));
    } catch (error) {
      throw await prepared.versions.explain(error);
    }
    return { rows, bytes: this.#bytes, versions: prepared.versions.numbers() };
  }

  /** The engine writes a file, which is sent when it is whole: its place in the pool is free by then. */
  async #parquet(): Promise<ExportCompletion> {
    const file = join(this.#parts.directory, `${randomUUID()}.parquet`);
    try {
      const { rows, columns, versions } = await this.#writeParquet(file);
      this.#report({ phase: "sending" });
      await this.#send(columns, chunksOf(file));
      return { rows, bytes: this.#bytes, versions };
    } finally {
      await rm(file, { force: true });
    }
  }

  async #writeParquet(file: string) {
    const { signal } = this.#handle;
    const { engine } = this.#parts;
    await using started = await this.#whenReadable(async (_, prepared) => {
      using space = this.#parts.watchSpace(signal);
      const columns = await engine.describe(prepared.statement, { signal });
      const options = { file, compression: this.#compression, rowBytes: prepared.rowBytes, signal: space.signal };
      // How many rows are scanned tells of those that are not to be seen.
      const untold = prepared.versions.isPartial ? { rows: 0 } : {};
      const onProgress = (progress: EngineProgress) => this.#onProgress({ ...progress, ...untold });
      const written = await engine.exportParquet(prepared.statement, { ...options, onProgress });
      return { rows: written.rows, columns, versions: prepared.versions.numbers() };
    });
    return started.value;
  }

  /** Begins with a place in the pool and pinned versions, after whatever load is to be waited for. Holds nothing if that fails. */
  async #whenReadable<T>(
    begin: (stack: AsyncDisposableStack, prepared: Prepared) => Promise<T>,
  ): Promise<AsyncDisposable & { readonly value: T }> {
    const { signal } = this.#handle;
    const { caller, requestedBy, access, wait = true } = this.#options;
    const { subject } = this.#request;
    const onProgress = (progress: OperationProgress) => {
      this.#handle.report({ phase: progress.phase });
      this.#stream.offerProgress(progress);
    };
    const awaiting = { signal, caller, requestedBy, access, wait, onProgress };
    const start = async () => {
      if (subject.kind === "question") await makeFresh(subject.question, this.#parts, awaiting);
      await using stack = new AsyncDisposableStack();
      stack.use(await this.#parts.pool.acquire({ signal, lane: "batch", caller }));
      const prepared = stack.use(await prepare(subject, this.#parts, { signal, access }));
      this.#handle.begin();
      try {
        const value = await begin(stack, prepared);
        const held = stack.move();
        return { value, [Symbol.asyncDispose]: () => held.disposeAsync() };
      } catch (error) {
        throw await prepared.versions.explain(error);
      }
    };
    return this.#parts.waits.run(start, awaiting);
  }

  async #send(columns: readonly Column[], source: AsyncIterable<Uint8Array>): Promise<void> {
    const { signal } = this.#handle;
    await this.#stream.push({ type: "begun", columns }, { signal });
    for await (const data of pieces(source)) {
      this.#bytes += data.length;
      this.#report({ bytes: this.#bytes });
      await this.#stream.push({ type: "data", data }, { signal });
    }
  }

  readonly #onProgress = ({ fraction, rows }: EngineProgress): void => {
    // Rows that the engine has scanned are not those that it has written.
    this.#report(this.#request.layout.format === "parquet" ? { fraction, rows } : {});
  };

  #report(report: Parameters<OperationHandle["report"]>[0]): void {
    this.#handle.report({ phase: "exporting", ...report });
    const progress = this.#parts.operations.find(this.#handle.id)?.progress;
    if (progress) this.#stream.offerProgress(progress);
  }
}

/** What is read, held until disposed. */
interface Prepared extends AsyncDisposable {
  readonly versions: PinnedVersions;
  readonly statement: Statement;
  /** How many rows there will be, where that is known. */
  readonly rows?: number;
  /** About how many stored bytes a row has; 0 if unknown. */
  readonly rowBytes: number;
}

async function prepare(subject: ExportSubject, parts: ExportParts, options: PrepareOptions): Promise<Prepared> {
  if (subject.kind === "question") {
    const prepared = await prepareQuestion(subject.question, parts, options);
    const { versions } = prepared;
    const statement = prepared.statement();
    return { versions, statement, rowBytes: 0, [Symbol.asyncDispose]: () => prepared[Symbol.asyncDispose]() };
  }
  const versions = await PinnedVersions.pin(parts.datasets, [subject], options);
  try {
    const plan = planExport(subject, versions.schema(subject.dataset));
    const { rows, bytes } = versions.get(subject.dataset).manifest;
    return {
      versions,
      statement: parts.engine.render(plan, (dataset) => versions.readable(dataset)),
      ...(subject.filter === undefined && !versions.isPartial && { rows: Math.min(rows, subject.limit || rows) }),
      // It can be told from the file.
      rowBytes: rows > 0 && !versions.isPartial ? bytes / rows : 0,
      [Symbol.asyncDispose]: () => versions[Symbol.asyncDispose](),
    };
  } catch (error) {
    await versions[Symbol.asyncDispose]();
    throw error;
  }
}

/** Opens the file when it is asked for, and closes it when nobody asks any more. */
async function* chunksOf(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield* createReadStream(file, { highWaterMark: FILE_CHUNK_BYTES });
}

async function* encode(
  result: QueryResult,
  { format, ...layout }: ExportLayout,
  counted: (rows: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (format === "arrow") return yield* encodeArrow(result, counted);
  if (format === "parquet") throw new DriverError("INTERNAL", "Parquet is written by the engine");
  const writer = textWriter({ ...layout, format } satisfies TextLayout, result.columns);
  yield Buffer.from(writer.begin());
  for (let batch = await result.next(); batch !== undefined; batch = await result.next()) {
    yield Buffer.from(writer.rows(batch.toRows()));
    counted(batch.rows);
  }
  yield Buffer.from(writer.end());
}

async function* encodeArrow(
  result: QueryResult,
  counted: (rows: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield result.arrowSchema();
  for (let batch = await result.next(); batch !== undefined; batch = await result.next()) {
    yield batch.toArrow();
    counted(batch.rows);
  }
  yield END_OF_STREAM;
}
