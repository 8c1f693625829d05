import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { clientError, DroverError } from "../errors.ts";
import { uploadFrom } from "../from-wire.ts";
import { type UploadFileRequestSchema, UploadService } from "../gen/drover/v1/upload_service_pb.js";
import type { Upload } from "../model.ts";
import { status } from "../status-codes.ts";
import { Deadline, pause } from "../transport/pause.ts";
import type { CallOptions, Route, Transport } from "../transport/transport.ts";
import { type OpenContent, openContent, type UploadContent } from "./content.ts";
import { ContentHash } from "./content-hash.ts";

/** What an upload takes beside its content. */
export interface UploadOptions extends CallOptions {
  /** Chosen by the client; with the id of an upload that was broken off, it goes on there. Default: a random UUID. */
  readonly id?: string | undefined;
  /** A label; its ending tells the format. Default: the file's own name. */
  readonly name?: string | undefined;
  /** The kind of source. Default: told by the name's ending. */
  readonly format?: string | undefined;
  /** How many bytes there are, where the content itself does not say it. */
  readonly size?: number | undefined;
  /** Called now and then with what the driver has taken. */
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
}

/** How far an upload is. */
export interface UploadProgress {
  readonly bytes: number;
  /** Undefined where it is not known. */
  readonly totalBytes: number | undefined;
}

/** Pieces of more bytes than this are cut. */
const maxPieceBytes = 512 * 1024;
/** How long another driver may take to notice that the connection by which it receives the file is gone. */
const busyMs = 60_000;
const busyPauseMs = 500;

/** Sends a file to the driver. After a broken connection it goes on where the driver is, or the next one. */
export async function upload(transport: Transport, content: UploadContent, options: UploadOptions): Promise<Upload> {
  const opened = await openContent(content);
  return await new Sending(opened, options).send(transport);
}

class Sending {
  readonly #content: OpenContent;
  readonly #options: UploadOptions;
  readonly #id: string;
  readonly #size: number | undefined;
  readonly #hash: ContentHash;
  /** Whether something may have arrived already. */
  #begun: boolean;
  #offset = 0;
  #busySince: number | undefined;

  constructor(content: OpenContent, options: UploadOptions) {
    this.#content = content;
    this.#options = options;
    this.#id = options.id ?? randomUUID();
    this.#begun = options.id !== undefined;
    this.#size = options.size ?? content.size;
    this.#hash = new ContentHash(content);
  }

  async send(transport: Transport): Promise<Upload> {
    const { signal, timeoutMs, endUser, scope, headers } = this.#options;
    const deadline = new Deadline({ signal, timeoutMs });
    using route = await transport.route({ signal, timeoutMs, endUser, scope, headers });
    for (;;) {
      try {
        return (await this.#finished(route)) ?? (await this.#sendRest(route));
      } catch (error) {
        await this.#goOn(route, error, deadline);
      }
    }
  }

  /** The upload where all of it is there; else finds where to go on. */
  async #finished(route: Route): Promise<Upload | undefined> {
    if (!this.#begun) return undefined;
    const present = await this.#present(route);
    if (present?.finished) {
      if ((await this.#hash.digest()) === present.sha256) return present;
      throw new DroverError({
        reason: "UPLOAD_EXISTS",
        code: status.ALREADY_EXISTS,
        message: `another file was sent under the id "${this.#id}"`,
        help: "Choose a new id for a new file, or delete the upload first.",
      });
    }
    const offset = present?.receivedBytes ?? 0;
    if (offset > this.#offset) route.advanced();
    this.#offset = offset;
    return undefined;
  }

  async #present(route: Route): Promise<Upload | undefined> {
    try {
      const { upload: present } = await route.channel.unary(
        UploadService.method.getUpload,
        { id: this.#id },
        route.options,
      );
      return uploadFrom(present);
    } catch (error) {
      if (error instanceof DroverError && error.reason === "UPLOAD_NOT_FOUND") return undefined;
      throw error;
    }
  }

  async #sendRest(route: Route): Promise<Upload> {
    const begun = this.#begun;
    this.#begun = true;
    if (begun && !this.#content.seekable && (this.#hash.begun || this.#offset > 0))
      throw clientError("STREAM_CUT", "the connection was lost, and what is sent can't be read again");
    const { uploadFile } = UploadService.method;
    const { upload: sent } = await route.channel.clientStream(uploadFile, this.#requests(), route.options);
    route.advanced();
    return uploadFrom(sent);
  }

  async *#requests(): AsyncGenerator<MessageInitShape<typeof UploadFileRequestSchema>, void, undefined> {
    const { format = "", onProgress, name = this.#content.name } = this.#options;
    const offset = this.#offset;
    const size = this.#size === undefined ? {} : { size: BigInt(this.#size) };
    const begin = { id: this.#id, name, format, offset: BigInt(offset), ...size };
    yield { part: { case: "begin", value: begin } };
    let bytes = offset;
    for await (const chunk of this.#hash.from(offset)) {
      for (let at = 0; at < chunk.length; at += maxPieceBytes) {
        const piece = chunk.subarray(at, at + maxPieceBytes);
        yield { part: { case: "bytes", value: piece } };
        bytes += piece.length;
        onProgress?.({ bytes, totalBytes: this.#size });
      }
    }
    yield { part: { case: "end", value: { sha256: await this.#hash.digest() } } };
  }

  /** To the next attempt, or out with the error. */
  async #goOn(route: Route, error: unknown, deadline: Deadline): Promise<void> {
    const reason = error instanceof DroverError ? error.reason : "";
    if (reason === "UPLOAD_BUSY" || reason === "UPLOAD_OFFSET") {
      this.#busySince ??= performance.now();
      if (performance.now() - this.#busySince > busyMs) throw error;
      return pause(busyPauseMs, deadline.signal);
    }
    this.#busySince = undefined;
    await route.next(error);
  }
}
