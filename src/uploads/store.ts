import { createHash, hash } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { AnnouncedUpload, UploadCatalog, UploadRecord } from "../catalog/uploads.ts";
import { asStorageError, makeFolder } from "../datasets/files.ts";
import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson } from "../operations/identity.ts";
import type { Whose } from "../operations/owner.ts";
import { nameOfText, newFileName } from "./file-name.ts";
import {
  type BeginningOptions,
  type KeepTextOptions,
  type OwnUploads,
  type UploadBegin,
  type UploadFile,
  type UploadInfo,
  type UploadPart,
  type Uploads,
  uploadUri,
} from "./model.ts";
import { anothers, ownUploads, uploadNotFound } from "./own-uploads.ts";
import { receiveFile } from "./receive-file.ts";
import { sweepUploads } from "./sweep.ts";
import { type UploadLimits, UploadSpace } from "./upload-space.ts";

export interface UploadsOptions {
  readonly dataDirectory: string;
  readonly instanceId: string;
  readonly catalog: UploadCatalog;
  /** Whether the driver process with an id still lives. */
  readonly isAlive: (instanceId: string) => Promise<boolean>;
  readonly limits: UploadLimits;
}

/** Where the files are, by names of the driver's own. */
export function uploadsFolder(dataDirectory: string): string {
  return join(dataDirectory, "uploads");
}

/** What had come is of no use after these. */
const HOPELESS: ReadonlySet<string> = new Set(["UPLOAD_DAMAGED", "UPLOAD_TOO_LARGE"]);
/** How often somebody who waits for the first bytes looks: another process may receive them. */
const LOOK_EVERY_MS = 20;
/** A client that lost its connection has gone on by then, if it will. */
const PATIENCE_MS = 30_000;

export async function openUploads(options: UploadsOptions): Promise<Uploads> {
  await makeFolder(uploadsFolder(options.dataDirectory));
  return new UploadStore(options);
}

/** A call that receives a file. */
interface Receiver {
  readonly stop: AbortController;
  readonly done: Promise<unknown>;
}

class UploadStore implements Uploads {
  readonly #options: UploadsOptions;
  readonly #folder: string;
  readonly #space: UploadSpace;
  readonly #receivers = new Map<string, Receiver>();
  readonly #texts = new Map<string, Promise<UploadInfo>>();

  constructor(options: UploadsOptions) {
    this.#options = options;
    this.#folder = uploadsFolder(options.dataDirectory);
    this.#space = new UploadSpace(this.#folder, options.limits);
  }

  async receive(begin: UploadBegin, parts: AsyncIterable<UploadPart>): Promise<UploadInfo> {
    const { id } = begin;
    let stopped = this.#stopReceiver(id, "another call goes on with the upload");
    // Several calls may have waited for one: each looks again, and takes the place in the same step.
    for (; stopped; stopped = this.#stopReceiver(id, "another call goes on with the upload")) await stopped;
    const stop = new AbortController();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const receiver = { stop, done };
    this.#receivers.set(id, receiver);
    try {
      return await this.#receive(begin, stoppable(parts, stop.signal), stop.signal);
    } catch (error) {
      // What stopped it is what went wrong.
      stop.signal.throwIfAborted();
      throw asStorageError(error);
    } finally {
      this.#receivers.delete(id);
      resolve();
    }
  }

  async keepText(text: string, { requestedBy, whose, signal }: KeepTextOptions): Promise<UploadInfo> {
    const bytes = Buffer.from(text);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const id = `text-${textKey(sha256, whose)}`;
    // Two calls of one text at once would stop each other.
    const present = this.#texts.get(id);
    if (present) return present;
    const announced = { id, name: nameOfText(text), format: "", size: bytes.length, sha256 };
    const keeping = this.#keep({ ...announced, offset: 0, requestedBy, whose }, bytes, signal);
    this.#texts.set(id, keeping);
    try {
      return await keeping;
    } finally {
      this.#texts.delete(id);
    }
  }

  of(asker: Whose): OwnUploads {
    return ownUploads({ uploads: this, find: (id) => this.#options.catalog.find(id) }, asker);
  }

  async get(id: string): Promise<UploadInfo> {
    return this.#info(await this.#record(id));
  }

  async list(): Promise<readonly UploadInfo[]> {
    return Promise.all((await this.#options.catalog.list()).map((record) => this.#info(record)));
  }

  async remove(id: string): Promise<void> {
    const record = await this.#record(id);
    await this.#stopReceiver(id, "the upload was deleted");
    const mayRemove = async (present: UploadRecord) => {
      await this.#requireFree(present);
      return true;
    };
    if (await this.#options.catalog.remove(record, mayRemove)) await this.#removeFile(record);
  }

  async use(id: string): Promise<UploadFile> {
    const info = await this.#file(await this.#record(id));
    if (!info.finished) throw incomplete(info);
    await this.#options.catalog.used(id);
    return info;
  }

  async useBeginning(id: string, bytes: number, options: BeginningOptions): Promise<UploadFile> {
    const { signal, patienceMs = PATIENCE_MS } = options;
    let before = -1;
    for (let cameMs = performance.now(); ; ) {
      const info = await this.#file(await this.#record(id));
      if (info.finished) return this.use(id);
      if (info.receivedBytes >= bytes) return info;
      if (info.receivedBytes !== before) cameMs = performance.now();
      else if (performance.now() - cameMs > patienceMs) throw incomplete(info);
      before = info.receivedBytes;
      await setTimeout(LOOK_EVERY_MS, undefined, { signal });
    }
  }

  sweep(referred: () => Promise<ReadonlySet<string>>): Promise<void> {
    const { catalog, isAlive, limits } = this.#options;
    return sweepUploads({ folder: this.#folder, catalog, isAlive, limits, referred });
  }

  async #receive(begin: UploadBegin, parts: AsyncIterable<UploadPart>, signal: AbortSignal): Promise<UploadInfo> {
    const { catalog } = this.#options;
    const { id, offset, whose, ...announced } = begin;
    const file = newFileName(begin.name);
    const record = await catalog.claim({ id, file, ...announced, owner: whose?.owner }, (present) =>
      this.#mayReceive(present, begin),
    );
    // A client that has not heard of its success asks again.
    if (record.finishTime !== undefined) return this.#info(record);
    try {
      const path = this.#path(record);
      const found = await receiveFile({ path, record, offset, parts, space: this.#space, signal });
      if (!(await catalog.finish(record, found))) throw takenOver(id, "another process has deleted the upload");
    } catch (error) {
      await this.#giveUp(record, error);
      throw error;
    }
    return this.get(id);
  }

  /** Throws where the record is another file's, or where another process receives it. */
  async #mayReceive(present: UploadRecord, begin: UploadBegin): Promise<boolean> {
    if (begin.whose?.owns(present.owner) === false) throw anothers(present.id);
    if (present.finishTime !== undefined) {
      const { size, sha256 } = begin;
      const same = size === present.size && sha256 === present.sha256 && begin.name === present.name;
      if (!same) throw exists(present, "another file was sent");
      return false;
    }
    if (!isSame(present, begin)) throw exists(present, "another file is being sent");
    await this.#requireFree(present);
    return true;
  }

  async #requireFree({ id, writer }: UploadRecord): Promise<void> {
    const { instanceId, isAlive } = this.#options;
    if (writer === undefined || writer === instanceId || !(await isAlive(writer))) return;
    throw new DriverError("UPLOAD_BUSY", `another driver receives upload "${id}"`, { metadata: { upload: id } });
  }

  /** Leaves a file for whoever goes on with it; one for which there is no hope is removed. */
  async #giveUp(record: UploadRecord, error: unknown): Promise<void> {
    const { catalog } = this.#options;
    const hopeless = error instanceof DriverError && HOPELESS.has(error.reason);
    if (!hopeless) return catalog.release(record);
    if (await catalog.remove(record)) await this.#removeFile(record);
  }

  /**
   * Ends a call that receives the file in this process, whose client may have lost the connection and come back; undefined where there
   * is none.
   */
  #stopReceiver(id: string, why: string): Promise<unknown> | undefined {
    const receiver = this.#receivers.get(id);
    receiver?.stop.abort(takenOver(id, why));
    return receiver?.done;
  }

  async #keep(begin: UploadBegin, bytes: Uint8Array, signal: AbortSignal): Promise<UploadInfo> {
    for (;;) {
      signal.throwIfAborted();
      const present = await this.#options.catalog.find(begin.id);
      if (present?.finishTime !== undefined && present.sha256 === begin.sha256) return this.use(begin.id);
      const offset = present === undefined ? 0 : await sizeOf(this.#path(present));
      try {
        return await this.receive({ ...begin, offset }, textParts(bytes.subarray(offset)));
      } catch (error) {
        if (!(error instanceof DriverError) || error.reason !== "UPLOAD_BUSY") throw error;
        await setTimeout(LOOK_EVERY_MS, undefined, { signal });
      }
    }
  }

  async #record(id: string): Promise<UploadRecord> {
    const record = await this.#options.catalog.find(id);
    if (record) return record;
    throw uploadNotFound(id);
  }

  async #info(record: UploadRecord): Promise<UploadInfo> {
    const { id, name, format, size, sha256, requestedBy, owner, createTime, useTime, finishTime } = record;
    const finished = finishTime !== undefined;
    return {
      ...{ id, uri: uploadUri(id), name, format, size, sha256, requestedBy, owner, finished },
      receivedBytes: finished ? (size ?? 0) : await sizeOf(this.#path(record)),
      createTime: new Date(createTime),
      useTime: new Date(useTime),
      finishTime: finishTime === undefined ? undefined : new Date(finishTime),
    };
  }

  async #file(record: UploadRecord): Promise<UploadFile> {
    return { ...(await this.#info(record)), path: this.#path(record) };
  }

  #path({ file }: UploadRecord): string {
    return join(this.#folder, file);
  }

  async #removeFile(record: UploadRecord): Promise<void> {
    await rm(this.#path(record), { force: true });
  }
}

/** One asker's texts are no other's, who could tell by theirs whether somebody has pasted a text. */
function textKey(sha256: string, whose: Whose | undefined): string {
  const shared = whose === undefined || whose.owns(undefined);
  const own = shared ? sha256 : hash("sha256", canonicalJson([sha256, whose.owner]), "hex");
  return own.slice(0, 32);
}

async function* textParts(bytes: Uint8Array): AsyncGenerator<UploadPart> {
  yield { type: "bytes", bytes };
  yield { type: "end", sha256: undefined };
}

/** Ends the wait for a client's next part when the signal is aborted. */
async function* stoppable(parts: AsyncIterable<UploadPart>, signal: AbortSignal): AsyncGenerator<UploadPart> {
  const iterator = parts[Symbol.asyncIterator]();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => undefined);
  signal.addEventListener("abort", () => stopped.reject(signal.reason), { once: true });
  for (;;) {
    const next = iterator.next();
    next.catch(() => undefined);
    const { done, value } = await Promise.race([next, stopped.promise]);
    if (done) return;
    yield value;
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function isSame(present: AnnouncedUpload, begin: AnnouncedUpload): boolean {
  const { name, format, size, sha256 } = begin;
  return present.name === name && present.format === format && present.size === size && present.sha256 === sha256;
}

function incomplete({ id, receivedBytes }: UploadInfo): DriverError {
  return new DriverError("UPLOAD_INCOMPLETE", `upload "${id}" is not all there: ${receivedBytes} bytes`, {
    metadata: { upload: id, receivedBytes: String(receivedBytes) },
  });
}

function takenOver(id: string, why: string): DriverError {
  return new DriverError("UPLOAD_TAKEN_OVER", `${why}: "${id}"`, { metadata: { upload: id } });
}

function exists({ id }: UploadRecord, what: string): DriverError {
  return new DriverError("UPLOAD_EXISTS", `${what} under the id "${id}"`, { metadata: { upload: id } });
}
