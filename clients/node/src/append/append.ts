import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { clientError, DroverError } from "../errors.ts";
import {
  AppendFormat,
  type AppendRowsRequestSchema,
  DatasetService,
  type Append as WireAppend,
} from "../gen/drover/v1/dataset_service_pb.js";
import type { Labels } from "../model.ts";
import { type CallOptions, defaultTimeoutMs, type Route, type Transport } from "../transport/transport.ts";
import { type AppendSource, type Batch, batchesOf } from "./batches.ts";

/** What an append takes beside its rows. */
export interface AppendOptions extends CallOptions {
  /**
   * Chosen by the client. With the id of an append that was broken off, the same rows in the same order are given again: those
   * that are there are skipped. Default: a random UUID.
   */
  readonly appendId?: string | undefined;
  /** The columns of rows that are arrays. */
  readonly columns?: readonly string[] | undefined;
  /** The columns of a dataset that is made where there is none, with their types. */
  readonly create?: Readonly<Record<string, string>> | undefined;
  /** Labels of the operation, and of a dataset that is made. */
  readonly labels?: Labels | undefined;
  /** Called now and then with how many rows are in the dataset for good. */
  readonly onProgress?: ((progress: AppendProgress) => void) | undefined;
}

/** How far an append is. */
export interface AppendProgress {
  readonly appendId: string;
  /** Rows that are in the dataset for good. */
  readonly durableRows: number;
  /** Rows that were sent. */
  readonly sentRows: number;
}

/** How far an append has come. */
export interface AppendStatus {
  readonly appendId: string;
  readonly dataset: string;
  /** How many of its rows are in the dataset for good. */
  readonly rows: number;
  /** The dataset's current version; 0: there is no such dataset. */
  readonly version: number;
}

type Request = MessageInitShape<typeof AppendRowsRequestSchema>;

/** What may be on its way: rows are kept until they are known to be in the dataset. */
const maxUnconfirmedBytes = 32 * 1024 * 1024;
/** How often it is asked how many are, while rows are kept. */
const askEveryMs = 1_000;
const waitMs = 50;
/** Another stream of this append may still be ending. */
const maxOutOfStep = 5;

/** Appends rows to a dataset, each exactly once: after a broken connection it goes on where the driver is, or the next one. */
export async function append(
  transport: Transport,
  dataset: string,
  source: AppendSource,
  options: AppendOptions,
): Promise<AppendStatus> {
  return await new Appending(dataset, source, options).run(transport);
}

/** Asks how far an append has come. */
export async function appendStatus(
  transport: Transport,
  dataset: string,
  appendId: string,
  options: CallOptions,
): Promise<AppendStatus> {
  try {
    const { append: found } = await transport.unary(DatasetService.method.getAppend, { dataset, appendId }, options);
    return statusFrom(found);
  } catch (error) {
    // It may be about to make the dataset.
    if (error instanceof DroverError && error.reason === "DATASET_NOT_FOUND")
      return { appendId, dataset, rows: 0, version: 0 };
    throw error;
  }
}

/** A batch by its place among those that came: the next one has the next number. */
interface Numbered extends Batch {
  readonly number: number;
}

class Appending {
  readonly #dataset: string;
  readonly #options: AppendOptions;
  readonly #id: string;
  readonly #batches: AsyncGenerator<Batch, void, undefined>;
  /** Rows that are not known to be in the dataset, oldest first, after what an Arrow stream begins with. */
  #kept: Numbered[] = [];
  #keptBytes = 0;
  #preamble: Numbered[] = [];
  #count = 0;
  #pulling: Promise<void> | undefined;
  #durable = 0;
  #sent = 0;
  #ended = false;
  #format: Batch["format"] | undefined;
  #asking: Promise<void> | undefined;
  #askedAt = 0;

  constructor(dataset: string, source: AppendSource, options: AppendOptions) {
    this.#dataset = dataset;
    this.#options = options;
    this.#id = options.appendId ?? randomUUID();
    this.#batches = batchesOf(source);
  }

  async run(transport: Transport): Promise<AppendStatus> {
    using route = await transport.route(this.#options);
    try {
      if (this.#options.appendId !== undefined) await this.#askAgain(route);
      for (let outOfStep = 0; ; ) {
        try {
          const requests = this.#requests(route);
          const { append: done } = await route.channel.clientStream(
            DatasetService.method.appendRows,
            requests,
            route.options,
          );
          const status = statusFrom(done);
          if (status.rows < this.#sent) throw lost(this.#dataset, this.#sent, status.rows);
          return status;
        } catch (error) {
          if (isOutOfStep(error) && outOfStep++ < maxOutOfStep) await setTimeout(waitMs * outOfStep);
          else await route.next(error);
          await this.#askAgain(route);
        }
      }
    } finally {
      // It may be waiting for something that never comes.
      void this.#batches.return().catch(() => undefined);
    }
  }

  async *#requests(route: Route): AsyncGenerator<Request, void, undefined> {
    this.#format ??= await this.#firstFormat();
    yield { part: { case: "start", value: this.#start(this.#format) } };
    for (let last = 0; ; ) {
      const batch = this.#after(last);
      if (batch === undefined) {
        if (this.#ended) break;
        await this.#pull();
        continue;
      }
      last = batch.number;
      yield requestOf(batch);
      // Of what is sent again there is no more to come than there is.
      if (this.#after(last) === undefined) await this.#confirm(route);
    }
    yield { part: { case: "end", value: {} } };
  }

  #start(format: Batch["format"]) {
    const { columns = [], create = {}, labels = {} } = this.#options;
    return {
      dataset: this.#dataset,
      appendId: this.#id,
      offset: BigInt(this.#durable),
      format: format === "arrow" ? AppendFormat.ARROW : AppendFormat.JSON,
      columns: [...columns],
      create: Object.entries(create).map(([name, type]) => ({ name, type })),
      labels: { ...labels },
    };
  }

  /** The first batch says how the rows travel; it is kept for the stream that has just begun. */
  async #firstFormat(): Promise<Batch["format"]> {
    for (;;) {
      const batch = this.#after(0);
      if (batch !== undefined || this.#ended) return batch?.format ?? "json";
      await this.#pull();
    }
  }

  /** The batch that follows the one with this number. Those that are kept follow each other without a gap. */
  #after(number: number): Numbered | undefined {
    if ((this.#preamble.at(-1)?.number ?? 0) > number) return this.#preamble.find((batch) => batch.number > number);
    const [first] = this.#kept;
    return first && this.#kept[Math.max(0, number + 1 - first.number)];
  }

  /**
   * Takes the next batch from the source. A stream that broke while it waited for one still waits: what comes is for whichever
   * stream there is by then, and so is an error of the source.
   */
  #pull(): Promise<void> {
    this.#pulling ??= this.#take().then(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #take(): Promise<void> {
    const { done, value: batch } = await this.#batches.next();
    if (done) {
      this.#ended = true;
      return;
    }
    const rest = this.#unsent(batch);
    this.#sent += batch.rows;
    // The rows are in the dataset already.
    if (rest === undefined) return;
    const numbered = { ...rest, number: ++this.#count };
    if (rest.rows === 0 && this.#kept.length === 0) this.#preamble.push(numbered);
    else this.#keep(numbered, "last");
  }

  /** What of a batch comes after the rows that are there. */
  #unsent(batch: Batch): Batch | undefined {
    const there = this.#durable - this.#sent;
    if (there <= 0 || batch.rows === 0) return batch;
    return there >= batch.rows ? undefined : withoutRows(batch, there);
  }

  /** Learns now and then how many rows are there, and waits where too many are not. */
  async #confirm(route: Route): Promise<void> {
    const isFull = () => this.#keptBytes >= maxUnconfirmedBytes;
    if (!isFull() && performance.now() - this.#askedAt < askEveryMs) return;
    this.#asking ??= this.#ask(route).finally(() => {
      this.#asking = undefined;
    });
    // The stream itself says what is wrong.
    this.#asking.catch(() => undefined);
    while (isFull()) {
      await (this.#asking ?? this.#ask(route));
      if (isFull()) await setTimeout(waitMs);
    }
  }

  async #ask(route: Route): Promise<void> {
    this.#askedAt = performance.now();
    const { options } = route;
    const timeoutMs = Math.min(options.timeoutMs ?? defaultTimeoutMs, defaultTimeoutMs);
    const { rows } = await appendStatus(route.channel, this.#dataset, this.#id, { ...options, timeoutMs });
    if (rows > this.#durable) route.advanced();
    this.#durableUpTo(rows);
  }

  /** After a break: as often as there are drivers to ask. */
  async #askAgain(route: Route): Promise<void> {
    for (;;) {
      try {
        return await this.#ask(route);
      } catch (error) {
        await route.next(error);
      }
    }
  }

  #durableUpTo(rows: number): void {
    if (rows < this.#durable) throw lost(this.#dataset, this.#durable, rows);
    let first = this.#sent - this.#kept.reduce((sum, batch) => sum + batch.rows, 0);
    this.#durable = rows;
    for (let batch = this.#kept[0]; batch !== undefined; batch = this.#kept[0]) {
      const rest = rows - first;
      if (batch.rows > 0 && rest <= 0) break;
      this.#kept.shift();
      this.#keptBytes -= batch.bytes.length;
      first += batch.rows;
      // A dictionary: it holds for the rows that follow.
      if (batch.rows === 0) this.#preamble.push(batch);
      if (rest >= batch.rows) continue;
      this.#keep({ ...withoutRows(batch, rest), number: batch.number }, "first");
      break;
    }
    this.#options.onProgress?.({ appendId: this.#id, durableRows: rows, sentRows: this.#sent });
  }

  #keep(batch: Numbered, place: "first" | "last"): void {
    if (place === "first") this.#kept.unshift(batch);
    else this.#kept.push(batch);
    this.#keptBytes += batch.bytes.length;
  }
}

function requestOf({ format, bytes }: Batch): Request {
  return { part: { case: format, value: bytes } };
}

/** A flush is made of whole messages, so only rows that were batched in another way before are cut. */
function withoutRows({ format, bytes, rows }: Batch, count: number): Batch {
  if (format === "arrow")
    throw clientError("INVALID_ARGUMENT", "an append that goes on must be given the same record batches again");
  let at = 0;
  for (let row = 0; row < count; row++) at = bytes.indexOf(0x0a, at) + 1;
  return { format, bytes: bytes.subarray(at), rows: rows - count };
}

function isOutOfStep(error: unknown): boolean {
  return error instanceof DroverError && error.reason === "APPEND_OUT_OF_STEP";
}

/** The dataset was deleted and made anew, or the driver has forgotten the append: it can't be told what is there. */
function lost(dataset: string, before: number, now: number): DroverError {
  const message = `${before} rows of the append were in ${JSON.stringify(dataset)}, of which ${now} are known now`;
  return clientError("INSTANCE_LOST", message);
}

function statusFrom(found: WireAppend | undefined): AppendStatus {
  if (found === undefined) throw clientError("UNEXPECTED_MESSAGE", "the driver's answer lacks its content");
  const { dataset, appendId, rows, version } = found;
  return { appendId, dataset, rows: Number(rows), version: Number(version) };
}
