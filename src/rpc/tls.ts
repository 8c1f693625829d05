import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext, type TlsOptions } from "node:tls";
import { DriverError } from "../errors/driver-error.ts";

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Empty: clients need no certificate. */
  readonly clientCaFile: string;
}

type SecureOptions = Pick<TlsOptions, "cert" | "key" | "ca" | "requestCert" | "rejectUnauthorized" | "minVersion">;

/** Certificates that are read again when their files change; what can't be used leaves the ones before in place. */
export class TlsContext implements AsyncDisposable {
  readonly #files: TlsFiles;
  readonly #stop = new AbortController();
  #options: SecureOptions;
  #watchers: ((options: SecureOptions) => void)[] = [];
  #polling: Promise<void> = Promise.resolve();

  private constructor(files: TlsFiles, options: SecureOptions) {
    this.#files = files;
    this.#options = options;
  }

  /** Throws TLS_INVALID. */
  static async open(files: TlsFiles): Promise<TlsContext> {
    return new TlsContext(files, await load(files));
  }

  current(): SecureOptions {
    return this.#options;
  }

  onChange(watcher: (options: SecureOptions) => void): void {
    this.#watchers.push(watcher);
  }

  /**
   * Compares the files' bytes at each interval: watching loses files that are replaced by a rename or a symbolic link,
   * which is how secrets are rotated in Kubernetes.
   */
  poll(intervalMs: number, report: { changed(): void; failed(error: DriverError): void }): void {
    this.#polling = this.#loop(intervalMs, report);
  }

  async #loop(intervalMs: number, report: { changed(): void; failed(error: DriverError): void }): Promise<void> {
    const { signal } = this.#stop;
    let failure = "";
    while (!signal.aborted) {
      await delay(intervalMs, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      try {
        const options = await load(this.#files);
        failure = "";
        if (sameBytes(options, this.#options)) continue;
        this.#options = options;
        for (const watcher of this.#watchers) watcher(options);
        report.changed();
      } catch (error) {
        const problem = DriverError.from(error);
        if (problem.message !== failure) report.failed(problem);
        failure = problem.message;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#polling;
  }
}

async function load({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<SecureOptions> {
  const [cert, key] = await Promise.all([read(certFile), read(keyFile)]);
  const clients =
    clientCaFile === "" ? {} : { ca: await read(clientCaFile), requestCert: true, rejectUnauthorized: true };
  const options: SecureOptions = { cert, key, ...clients, minVersion: "TLSv1.2" };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new DriverError("TLS_INVALID", `${certFile} and ${keyFile} can't be used: ${(error as Error).message}`, {
      metadata: { certFile, keyFile },
      cause: error,
    });
  }
  return options;
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new DriverError("TLS_INVALID", `${file} can't be read: ${(error as Error).message}`, {
      metadata: { file },
      cause: error,
    });
  }
}

function sameBytes(a: SecureOptions, b: SecureOptions): boolean {
  const parts = (options: SecureOptions) => [options.cert, options.key, options.ca].map((part) => String(part ?? ""));
  const other = parts(b);
  return parts(a).every((part, index) => part === other[index]);
}
