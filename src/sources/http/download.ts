import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DriverError } from "../../errors/driver-error.ts";
import { shownUrl } from "./allowed-urls.ts";
import { checkStatus, Representation } from "./representation.ts";
import { type Answer, type GetOptions, get } from "./request.ts";

export interface DownloadOptions extends GetOptions {
  /** Gets the file. */
  readonly directory: string;
  /** A larger file is SOURCE_TOO_LARGE. */
  readonly maxBytes: number;
  /** Only so many bytes of the beginning. */
  readonly beginningBytes?: number | undefined;
  /** Before the second attempt; the double before each later one. Default: 200 ms. */
  readonly pauseMs?: number;
  readonly onProgress?: (bytes: number, totalBytes: number | undefined) => void;
}

export interface Downloaded {
  /** Its ending says how it is compressed. */
  readonly path: string;
  readonly bytes: number;
  /** Whether it is only the beginning. */
  readonly partial: boolean;
}

/** In a row, without a byte more than before. */
const MAX_VAIN_ATTEMPTS = 5;
const DEFAULT_PAUSE_MS = 200;
/** Nothing that another attempt would mend. */
const TLS_ERRORS = /^(ERR_TLS_|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_SSL)/;

/** Fetches a URL into a file; after a broken connection it goes on where that broke, if the server lets it. */
export async function download(url: URL, options: DownloadOptions): Promise<Downloaded> {
  return new Download(url, options).run();
}

class Download {
  readonly #url: URL;
  readonly #options: DownloadOptions;
  #representation: Representation | undefined;
  #path = "";
  #file: FileHandle | undefined;
  #bytes = 0;
  /** The farthest that any attempt came. */
  #most = 0;

  constructor(url: URL, options: DownloadOptions) {
    this.#url = url;
    this.#options = options;
  }

  async run(): Promise<Downloaded> {
    const { signal, pauseMs = DEFAULT_PAUSE_MS } = this.#options;
    try {
      for (let vain = 0; ; ) {
        const before = this.#most;
        try {
          await this.#attempt();
          const { beginningBytes = Number.POSITIVE_INFINITY } = this.#options;
          const total = this.#representation?.total;
          const partial = this.#bytes >= beginningBytes && (total === undefined || this.#bytes < total);
          return { path: this.#path, bytes: this.#bytes, partial };
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof DriverError && error.reason !== "SOURCE_FETCH_FAILED") throw error;
          vain = this.#most > before ? 0 : vain + 1;
          if (vain >= MAX_VAIN_ATTEMPTS || isFinal(error)) throw this.#failed(error);
          await setTimeout(pauseMs * 2 ** vain, undefined, { signal });
        }
      }
    } finally {
      await this.#file?.close();
    }
  }

  async #attempt(): Promise<void> {
    const { beginningBytes, headers } = this.#options;
    // From its beginning again where the server does not say what it is.
    if (this.#bytes > 0 && this.#representation?.validator === undefined) this.#bytes = 0;
    const last = beginningBytes === undefined ? "" : String(beginningBytes - 1);
    const range = this.#bytes > 0 || beginningBytes !== undefined ? { range: `bytes=${this.#bytes}-${last}` } : {};
    const condition = this.#bytes > 0 ? { "if-range": this.#representation?.validator ?? "" } : {};
    using answer = await get(this.#url, { ...this.#options, headers: { ...headers, ...range, ...condition } });
    checkStatus(answer, this.#bytes);
    const found = Representation.of(answer);
    this.#representation?.requireSame(found, answer.url);
    this.#bytes = found.start === this.#bytes ? this.#bytes : this.#restart(found, answer);
    this.#representation = found;
    await this.#receive(answer, found);
  }

  /** A server that gives the whole file again, whatever it was asked for. */
  #restart({ start }: Representation, answer: Answer): number {
    if (start === 0) return 0;
    throw new DriverError(
      "SOURCE_FETCH_FAILED",
      `${shownUrl(answer.url)}: it gives another range than the one asked for`,
    );
  }

  async #receive({ body, url }: Answer, { total, ending }: Representation): Promise<void> {
    const { directory, maxBytes, beginningBytes = Number.POSITIVE_INFINITY, onProgress } = this.#options;
    if (Math.min(total ?? 0, beginningBytes) > maxBytes) throw tooLarge(url, maxBytes);
    if (this.#file === undefined) {
      this.#path = join(directory, `fetched${ending}`);
      this.#file = await open(this.#path, "wx", 0o600);
    }
    await this.#file.truncate(this.#bytes);
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const part = chunk.subarray(0, beginningBytes - this.#bytes);
      await this.#file.write(part, 0, part.length, this.#bytes);
      this.#bytes += part.length;
      this.#most = Math.max(this.#most, this.#bytes);
      if (this.#bytes > maxBytes) throw tooLarge(url, maxBytes);
      onProgress?.(this.#bytes, total);
      if (this.#bytes >= beginningBytes) return;
    }
    if (total !== undefined && this.#bytes > total) throw unlike(url, this.#bytes, total);
    if (total !== undefined && this.#bytes < total) throw new Error(`it ended after ${this.#bytes} of ${total} bytes`);
  }

  #failed(error: unknown): DriverError {
    const { message } = error as Error;
    if (error instanceof DriverError) return error;
    const url = shownUrl(this.#url);
    return new DriverError("SOURCE_FETCH_FAILED", `${url} can't be fetched: ${message}, after ${this.#bytes} bytes`, {
      metadata: { url, receivedBytes: String(this.#bytes) },
      cause: error,
    });
  }
}

function unlike(url: URL, bytes: number, total: number): DriverError {
  return new DriverError(
    "SOURCE_UNREADABLE",
    `${shownUrl(url)}: its server sends ${bytes} bytes of a file that has ${total} by its own account`,
    { metadata: { url: shownUrl(url) } },
  );
}

function isFinal(error: unknown): boolean {
  return error instanceof Error && "code" in error && TLS_ERRORS.test(String(error.code));
}

function tooLarge(url: URL, maxBytes: number): DriverError {
  return new DriverError(
    "SOURCE_TOO_LARGE",
    `${shownUrl(url)} has more than limits.maxFetchBytes (${maxBytes} bytes)`,
    {
      metadata: { url: shownUrl(url), maxBytes: String(maxBytes) },
    },
  );
}
