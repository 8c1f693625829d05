import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { required } from "../checks.ts";
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

/** A batch in its place among all. */
interface Entry {
  readonly place: number;
  readonly batch: Batch;
}

class Appending {
  readonly #dataset: string;
  readonly #options: AppendOptions;
  readonly #id: string;
  readonly #batches: AsyncGenerator<Batch, void, undefined>;
  /** Rows that are not known to be in the dataset, oldest first, and what an Arrow stream has between them. */
  #entries: Entry[] = [];
  #keptBytes = 0;
  #places = 0;
  #durable = 0;
  /** Rows that have been taken from the source. */
  #taken = 0;
  #ended = false;
  /** Why the source brings no more. */
  #failure: { readonly error: unknown } | undefined;
  #format: Batch["format"] = "json";
  #pulling: Promise<void> | undefined;
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
          return this.#checked(statusFrom(done));
        } catch (error) {
          // One that is under way asks a connection that is gone.
          this.#asking = undefined;
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

  /** All that is not known to be there, then what follows. */
  async *#requests(route: Route): AsyncGenerator<Request, void, undefined> {
    // The first batch says how the rows travel.
    while (this.#places === 0 && !this.#ended) await this.#pull();
    yield { part: { case: "start", value: this.#start() } };
    for (let place = -1; ; ) {
      const entry = this.#entries.find((each) => each.place > place);
      if (entry !== undefined) {
        place = entry.place;
        yield { part: { case: entry.batch.format, value: entry.batch.bytes } };
        await this.#confirm(route);
      } else if (this.#ended) break;
      else await this.#pull();
    }
    yield { part: { case: "end", value: {} } };
  }

  #start() {
    const { columns = [], create = {}, labels = {} } = this.#options;
    return {
      dataset: this.#dataset,
      appendId: this.#id,
      offset: BigInt(this.#durable),
      format: this.#format === "arrow" ? AppendFormat.ARROW : AppendFormat.JSON,
      columns: [...columns],
      create: Object.entries(create).map(([name, type]) => ({ name, type })),
      labels: { ...labels },
    };
  }

  /** Takes the next batch. A stream that was broken off may be waiting for it as well: it is taken once. */
  #pull(): Promise<void> {
    this.#pulling ??= this.#take().finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #take(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { done, value: batch } = await this.#batches.next().catch((error: unknown) => {
      // Whoever waited may be a stream that is broken off by now: the next one hears of it, too.
      this.#failure = { error };
      throw error;
    });
    if (done) {
      this.#ended = true;
      return;
    }
    const there = Math.max(0, this.#durable - this.#taken);
    this.#taken += batch.rows;
    this.#format = batch.format;
    const place = this.#places++;
    if (batch.rows > 0 && there >= batch.rows) return;
    const rest = there === 0 || batch.rows === 0 ? batch : withoutRows(batch, there);
    this.#entries.push({ place, batch: rest });
    if (batch.rows > 0) this.#keptBytes += rest.bytes.length;
  }

  /** Learns now and then how many rows are there, and waits where too many are not. */
  async #confirm(route: Route): Promise<void> {
    const isFull = () => this.#keptBytes >= maxUnconfirmedBytes;
    if (!isFull() && performance.now() - this.#askedAt < askEveryMs) return;
    if (this.#asking === undefined) {
      const asking = this.#ask(route).finally(() => {
        if (this.#asking === asking) this.#asking = undefined;
      });
      // The stream itself says what is wrong.
      asking.catch(() => undefined);
      this.#asking = asking;
    }
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
    this.#durable = rows;
    let first = this.#taken - this.#entries.reduce((sum, { batch }) => sum + batch.rows, 0);
    const rest: Entry[] = [];
    this.#keptBytes = 0;
    for (const entry of this.#entries) {
      const { batch, place } = entry;
      const there = Math.max(0, Math.min(batch.rows, rows - first));
      first += batch.rows;
      // A schema or a dictionary holds for the rows that follow.
      if (batch.rows > 0 && there === batch.rows) continue;
      const left = there === 0 ? batch : withoutRows(batch, there);
      rest.push(left === batch ? entry : { place, batch: left });
      if (batch.rows > 0) this.#keptBytes += left.bytes.length;
    }
    this.#entries = rest;
    this.#told(rows);
  }

  #checked(status: AppendStatus): AppendStatus {
    if (status.rows !== this.#taken)
      throw clientError("UNEXPECTED_MESSAGE", `the driver has ${status.rows} rows of ${this.#taken}`);
    this.#told(status.rows);
    return status;
  }

  #told(durableRows: number): void {
    this.#options.onProgress?.({ appendId: this.#id, durableRows, sentRows: this.#taken });
  }
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
  const { dataset, appendId, rows, version } = required(found);
  return { appendId, dataset, rows: Number(rows), version: Number(version) };
}
