import type { FieldPacket } from "mysql2";
import type { ColumnBatch } from "../connector.ts";
import type { MysqlConnection } from "./connection.ts";
import { RowEncoder } from "./encode-rows.ts";
import type { FieldForm } from "./text-form.ts";
import { batchOf } from "./typed-rows.ts";

/** So many chunks or batches wait at most while their reader is busy; then the server waits. */
const MAX_WAITING = 4;
const BATCH_ROWS = 1_000;

export interface ReadOptions {
  readonly fields: readonly FieldForm[];
  /** Throws where the columns are not those that were planned. */
  readonly check: (fields: readonly FieldPacket[]) => void;
}

/** The rows of a statement as text of the exchange dialect. */
export function readText(connection: MysqlConnection, sql: string, options: ReadOptions): AsyncIterable<Uint8Array> {
  const encoder = new RowEncoder(options.fields);
  return collect(connection, sql, options, {
    raw: true,
    add: (row: readonly (Buffer | null)[]) => encoder.add(row),
    finish: () => encoder.finish(),
  });
}

/** The rows of a statement as values. */
export function readBatches(
  connection: MysqlConnection,
  sql: string,
  options: ReadOptions,
): AsyncIterable<ColumnBatch> {
  let rows: (readonly unknown[])[] = [];
  const batch = () => {
    const full = rows;
    rows = [];
    return batchOf(full, options.fields);
  };
  return collect(connection, sql, options, {
    raw: false,
    add: (row: readonly unknown[]) => (rows.push(row) === BATCH_ROWS ? batch() : undefined),
    finish: () => (rows.length === 0 ? undefined : batch()),
  });
}

interface Collector<R, T> {
  /** Whether fields come as the protocol's bytes. */
  readonly raw: boolean;
  add(row: R): T | undefined;
  finish(): T | undefined;
}

/** Hands on what the collector makes of the rows, at the pace of whoever reads it; leaving early ends the statement. */
async function* collect<R, T>(
  connection: MysqlConnection,
  sql: string,
  { check }: ReadOptions,
  collector: Collector<R, T>,
): AsyncGenerator<T, void> {
  const { query, connection: client, failed } = connection.start(sql, collector);
  const waiting: T[] = [];
  let end: { readonly error: unknown } | "ended" | undefined;
  let wake: (() => void) | undefined;
  const finish = (how: typeof end) => {
    end ??= how;
    wake?.();
  };
  const attempt = (work: () => T | undefined) => {
    if (end !== undefined) return;
    try {
      const item = work();
      if (item === undefined) return;
      waiting.push(item);
      if (waiting.length === MAX_WAITING) client.pause();
      wake?.();
    } catch (error) {
      finish({ error });
    }
  };
  const onError = (error: unknown) => finish({ error });
  query.on("fields", (fields) =>
    attempt(() => {
      check(fields as unknown as FieldPacket[]);
      return undefined;
    }),
  );
  query.on("result", (row) => attempt(() => collector.add(row as unknown as R)));
  query.on("error", onError);
  query.on("end", () => {
    attempt(() => collector.finish());
    finish("ended");
  });
  // A connection that breaks tells it here; a killed one may only close.
  client.on("error", onError);
  const stopAborting = connection.whenAborted(onError);
  try {
    for (;;) {
      const item = waiting.shift();
      if (item !== undefined) {
        if (waiting.length === 0 && end === undefined) client.resume();
        yield item;
      } else if (end === "ended") {
        return;
      } else if (end !== undefined) {
        throw failed(end.error);
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    stopAborting();
    client.off("error", onError);
    if (end !== "ended") await connection.stop();
  }
}
