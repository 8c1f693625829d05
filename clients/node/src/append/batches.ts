import { Buffer } from "node:buffer";
import { clientError } from "../errors.ts";
import { ArrowCutter } from "./arrow-stream.ts";
import { type AppendRow, rowText } from "./row-text.ts";

/** What is appended: rows, or the bytes of an Arrow IPC stream. */
export type AppendSource = Iterable<AppendRow | Uint8Array> | AsyncIterable<AppendRow | Uint8Array>;

/** Some rows as they travel. The schema and dictionaries of an Arrow stream are a batch without rows. */
export interface Batch {
  readonly format: "json" | "arrow";
  readonly bytes: Uint8Array;
  readonly rows: number;
}

/** A message is sent when it has so much, or its first row has waited so long. */
const batchChars = 64 * 1024;
const lingerMs = 50;

/** Makes batches of rows as they come. */
export async function* batchesOf(source: AppendSource): AsyncGenerator<Batch, void, undefined> {
  const iterator =
    Symbol.asyncIterator in source
      ? source[Symbol.asyncIterator]()
      : (source[Symbol.iterator]() as Iterator<AppendRow | Uint8Array>);
  using lines = new Lines();
  const arrow = new ArrowCutter();
  let next = iterator.next();
  try {
    for (;;) {
      const result = next instanceof Promise ? await lines.before<IteratorResult<AppendRow | Uint8Array>>(next) : next;
      if (result === "late") {
        yield lines.take();
        continue;
      }
      if (result.done) break;
      const { value } = result;
      if (value instanceof Uint8Array) {
        if (lines.used) throw mixed();
        for (const { bytes, rows } of arrow.add(value)) yield { format: "arrow", bytes, rows };
        lines.refuse();
      } else {
        lines.add(value);
        if (lines.isFull) yield lines.take();
      }
      next = iterator.next();
    }
    arrow.end();
    if (lines.waiting) yield lines.take();
  } finally {
    await iterator.return?.();
  }
}

/** Rows on their way into a batch. */
class Lines implements Disposable {
  #text = "";
  #rows = 0;
  #late: PromiseWithResolvers<"late"> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #used = false;
  #refused = false;

  get used(): boolean {
    return this.#used;
  }

  get waiting(): boolean {
    return this.#rows > 0;
  }

  get isFull(): boolean {
    return this.#text.length >= batchChars;
  }

  add(row: AppendRow): void {
    if (this.#refused) throw mixed();
    if (this.#rows === 0) this.#wait();
    this.#text += rowText(row);
    this.#rows++;
    this.#used = true;
  }

  /** There are no rows but those of an Arrow stream. */
  refuse(): void {
    this.#refused = true;
  }

  take(): Batch {
    const batch = { format: "json", bytes: Buffer.from(this.#text), rows: this.#rows } as const;
    this.#text = "";
    this.#rows = 0;
    this[Symbol.dispose]();
    return batch;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#late = undefined;
  }

  /** One timer for a batch: one for each row would cost more than the row. */
  #wait(): void {
    const late = Promise.withResolvers<"late">();
    this.#late = late;
    this.#timer = setTimeout(() => late.resolve("late"), lingerMs);
  }

  /** The next item, unless rows have waited for it long enough. */
  async before<T>(next: Promise<T>): Promise<T | "late"> {
    return this.#late === undefined ? next : Promise.race([next, this.#late.promise]);
  }
}

function mixed() {
  return clientError("INVALID_ARGUMENT", "rows and the bytes of an Arrow stream can't be mixed");
}
