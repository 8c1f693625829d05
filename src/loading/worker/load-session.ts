import type { LoadEngine, LoadProgress } from "../../engine/engine.ts";
import type { FileScan, ScanColumn, SegmentLimits, WrittenSegments } from "../../engine/file-scan.ts";
import { TypeContradiction } from "../../engine/type-contradiction.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type {
  ColumnBatch,
  Partition,
  PartitionContent,
  SharedSnapshot,
  SourcePlan,
  SourceSession,
} from "../../sources/connector.ts";
import { encodeBatch } from "../../sources/exchange/encode-batch.ts";
import { ShownNames } from "../../sources/shown-names.ts";
import { mergedSegments } from "../merged-segments.ts";
import { exchangeNames, exchangeScan } from "./exchange-scan.ts";
import { spoolText } from "./text-spool.ts";
import { WantedRows } from "./wanted-rows.ts";

/** A diagnosis sees the whole file, so one restart is enough; the second one is for what it could not foresee. */
const MAX_RESTARTS = 2;
/** About a million rows of eight columns: a segment of its own. */
const SPOOL_FILE_BYTES = 128 * 1024 * 1024;

/** What a load session tells while it works. */
export interface LoadListener {
  onProgress(progress: LoadProgress): void;
  onPhase(phase: string): void;
  onWarning(messages: readonly string[]): void;
}

export interface LoadSessionOptions {
  readonly session: SourceSession;
  /** Which of its rows are wanted. Default: all of them. */
  readonly rows?: WantedRows;
  /** Opened when it is first needed. */
  readonly engine: () => Promise<LoadEngine>;
  readonly signal: AbortSignal;
  /** Holds the segments; shared with the other sessions of the load. */
  readonly directory: string;
  /** Of this session's own; removed by whoever made it. */
  readonly workDirectory: string;
  readonly limits: SegmentLimits;
  readonly listener: LoadListener;
}

/** One worker's part of a load: plans it, or joins a plan, and writes partitions as segments. */
export class LoadSession {
  readonly #options: LoadSessionOptions & { readonly rows: WantedRows };
  #columns: readonly ScanColumn[] | undefined;

  constructor(options: LoadSessionOptions) {
    this.#options = { rows: new WantedRows({}), ...options };
  }

  async plan(maxPartitions: number): Promise<SourcePlan> {
    const plan = await this.#options.session.plan({ maxPartitions, preview: false });
    this.#columns = plan.columns;
    if (!this.#options.rows.areCounted) return plan;
    const { shared: _, ...alone } = plan;
    return alone;
  }

  async join(columns: readonly ScanColumn[] | undefined, shared: SharedSnapshot): Promise<void> {
    this.#columns = columns;
    await this.#options.session.join?.(shared);
  }

  async joined(): Promise<void> {
    await this.#options.session.joined?.();
  }

  /** Reads one partition into segments whose names its number tells apart. */
  async read(partition: Partition, number: number): Promise<WrittenSegments> {
    const content = await this.#options.session.read(partition);
    if (content.form !== "files") return this.#readText(content, number);
    const names = new ShownNames(content.scan);
    try {
      return names.written(await this.#readFiles(content.scan, `segment-${number}-`, names));
    } catch (error) {
      throw names.error(error);
    }
  }

  async requireUnchanged(): Promise<void> {
    await this.#options.session.requireUnchanged?.();
  }

  async #readFiles(asked: FileScan, prefix: string, names: ShownNames): Promise<WrittenSegments> {
    const { signal, listener } = this.#options;
    const engine = await this.#options.engine();
    const sniffed = await engine.sniff(asked, { signal });
    const warn = (messages: readonly string[]) => listener.onWarning(messages.map((message) => names.text(message)));
    warn(sniffed.warnings);
    listener.onPhase("reading");
    let scan: FileScan = sniffed.scan;
    for (let restarts = 0; ; restarts++) {
      try {
        return await this.#write(engine, scan, prefix, (progress) => listener.onProgress(continued(progress, scan)));
      } catch (error) {
        if (!(error instanceof TypeContradiction) || restarts === MAX_RESTARTS) throw error;
        warn(error.warnings);
        scan = error.scan;
      }
    }
  }

  async #readText(
    content: Exclude<PartitionContent, { readonly form: "files" }>,
    number: number,
  ): Promise<WrittenSegments> {
    const { signal, listener, workDirectory: directory } = this.#options;
    const columns = this.#columns;
    if (columns === undefined) throw new DriverError("INTERNAL", "a connector gave rows without naming their columns");
    listener.onPhase("reading");
    const engine = await this.#options.engine();
    const chunks = content.form === "text" ? content.chunks : encoded(content.batches);
    const written: WrittenSegments[] = [];
    const name = `spool-${number}`;
    const { rows } = this.#options;
    for await (const file of spoolText(chunks, { directory, signal, maxFileBytes: SPOOL_FILE_BYTES, name })) {
      await using _ = file;
      const before = total(written);
      const scan = exchangeScan(columns, file.path, file.bytes, before.rows);
      const prefix = `segment-${number}-${written.length}-`;
      const part = await this.#write(engine, scan, prefix, (progress) =>
        listener.onProgress({
          fraction: undefined,
          rows: before.rows + progress.rows,
          bytes: before.sourceBytes + progress.bytes,
        }),
      ).catch((error: unknown) => {
        throw exchangeNames(scan.paths).error(error);
      });
      written.push({ ...part, sourceBytes: file.bytes });
      const all = total(written);
      listener.onProgress({ fraction: undefined, rows: all.rows, bytes: all.sourceBytes });
      if (rows.areComplete) break;
    }
    if (written.length === 0) written.push(await this.#writeNothing(engine, columns, number));
    return mergedSegments(written);
  }

  /** The columns of a source without rows. */
  async #writeNothing(engine: LoadEngine, columns: readonly ScanColumn[], number: number): Promise<WrittenSegments> {
    return this.#write(engine, exchangeScan(columns, undefined, 0), `segment-${number}-0-`, () => undefined);
  }

  async #write(
    engine: LoadEngine,
    scan: FileScan,
    prefix: string,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<WrittenSegments> {
    const { signal, directory, limits, rows } = this.#options;
    const written = await engine.writeSegments(rows.of(scan), { signal, directory, prefix, limits, onProgress });
    rows.took(written.rows);
    return written;
  }
}

/** The progress of the engine after that of a connector which has read the source before. */
function continued(progress: LoadProgress, { before }: FileScan): LoadProgress {
  if (before === undefined) return progress;
  return {
    rows: Math.max(before.rows, progress.rows),
    bytes: Math.max(before.bytes, progress.bytes),
    fraction: before.fraction + (1 - before.fraction) * (progress.fraction ?? 0),
  };
}

async function* encoded(batches: AsyncIterable<ColumnBatch>): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) yield encodeBatch(batch);
}

function total(parts: readonly WrittenSegments[]): { readonly rows: number; readonly sourceBytes: number } {
  return parts.reduce(
    (sum, { rows, sourceBytes }) => ({ rows: sum.rows + rows, sourceBytes: sum.sourceBytes + sourceBytes }),
    { rows: 0, sourceBytes: 0 },
  );
}
