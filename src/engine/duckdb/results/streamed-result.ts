import type { DuckDBType } from "@duckdb/node-api";
import { DriverError } from "../../../errors/driver-error.ts";
import type { QueryOptions, QueryResult, ResultBatch } from "../../engine.ts";
import type { Column } from "../../types.ts";
import type { TypedColumn } from "../arrow/arrow-type.ts";
import { encodeSchema } from "../arrow/schema-message.ts";
import { columnFromType } from "../types/columns.ts";
import { uniqueNames } from "../types/unique-names.ts";
import { countNodes, type Layout, layoutOf } from "../vectors/layout.ts";
import { readChunk } from "../vectors/read-vector.ts";
import { BatchCutter } from "./batch-cutter.ts";
import { CopiedBatch } from "./result-batch.ts";
import type { RunningStatement } from "./running-statement.ts";

// What gRPC limits is the message: 1 MiB less room for the envelope around a batch.
const DEFAULT_BATCH_BYTES = 1024 * 1024 - 16 * 1024;
// Encoding a batch holds up the event loop; narrow rows would fit by the hundred thousand.
const MAX_BATCH_ROWS = 32 * 1024;

// An Arrow message says of each node 16 bytes and 16 of each of its buffers (up to three), which are padded to 8.
const NODE_BYTES = 16 + 3 * (16 + 7);
const METADATA_BYTES = 256;

/** A result whose chunks are fetched when the next batch is asked for, and not before. */
export class StreamedResult implements QueryResult {
  readonly columns: readonly Column[];
  readonly #statement: RunningStatement;
  readonly #signal: AbortSignal;
  readonly #types: readonly DuckDBType[];
  readonly #layouts: readonly Layout[];
  readonly #cutter: BatchCutter;
  readonly #onAbort: () => void;
  readonly #onClose: () => void;
  #ended = false;
  #closed = false;

  /** `onClose` is called once, when the statement has ended in whatever way. */
  constructor(statement: RunningStatement, options: QueryOptions, onClose: () => void) {
    const { result } = statement;
    this.#statement = statement;
    this.#signal = options.signal;
    this.#onClose = onClose;
    this.#types = result.columnTypes();
    this.#layouts = this.#types.map(layoutOf);
    this.columns = uniqueNames(result.columnNames()).map((name, index) =>
      columnFromType(name, this.#types[index] as DuckDBType),
    );
    const maxBytes = options.maxBatchBytes ?? DEFAULT_BATCH_BYTES;
    const overhead = Math.min(
      maxBytes / 2,
      METADATA_BYTES + this.#layouts.reduce((sum, layout) => sum + countNodes(layout), 0) * NODE_BYTES,
    );
    this.#cutter = new BatchCutter({ maxBytes: maxBytes - overhead, maxRows: options.maxBatchRows ?? MAX_BATCH_ROWS });
    // The statement must stop at once, also when nobody waits for a batch.
    this.#onAbort = () => void this.#close();
    this.#signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  arrowSchema(): Uint8Array {
    const columns: TypedColumn[] = this.columns.map(({ name }, index) => ({
      name,
      type: this.#types[index] as DuckDBType,
    }));
    return encodeSchema(columns);
  }

  async next(): Promise<ResultBatch | undefined> {
    try {
      this.#signal.throwIfAborted();
      while (!this.#ended && !this.#cutter.full) await this.#fetch();
    } catch (error) {
      await this.#close();
      throw DriverError.from(error);
    }
    if (this.#ended) await this.#close();
    const slices = this.#cutter.take();
    return slices.length > 0 ? new CopiedBatch(slices, this.#types) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #fetch(): Promise<void> {
    const chunk = await this.#statement.fetch();
    if (!chunk) {
      if (this.#signal.aborted) throw DriverError.from(this.#signal.reason);
      this.#ended = true;
      return;
    }
    this.#cutter.add({ columns: readChunk(chunk.chunk, this.#layouts), from: 0, to: chunk.rowCount });
  }

  async #close(): Promise<void> {
    await this.#statement.stop();
    if (this.#closed) return;
    this.#closed = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#onClose();
  }
}
