import { folderBytes } from "../datasets/files.ts";
import { Space } from "../datasets/space.ts";
import { DriverError } from "../errors/driver-error.ts";

export interface UploadLimits {
  /** Of one file. */
  readonly maxBytes: number;
  /** Of all files together; 0: only the disk counts. */
  readonly quotaBytes: number;
  /** What must stay free on the disk. */
  readonly minFreeBytes: number;
  /** A file that nobody has gone on sending for so long is removed. */
  readonly unfinishedAgeMs: number;
  /** A file that was not used for so long, and that nothing refers to, is removed. */
  readonly retentionMs: number;
}

const MAX_UNSEEN_BYTES = 64 * 2 ** 20;
const MIN_UNSEEN_BYTES = 2 ** 20;

/** Refuses files for which there is no room. */
export class UploadSpace {
  readonly #folder: string;
  readonly #limits: UploadLimits;
  readonly #disk: Space;

  constructor(folder: string, limits: UploadLimits) {
    this.#folder = folder;
    this.#limits = limits;
    this.#disk = new Space(folder, { maxBytes: 0, minFreeBytes: limits.minFreeBytes });
  }

  /** Bytes that may come between two looks at the room that is left. */
  get lookEveryBytes(): number {
    const { quotaBytes } = this.#limits;
    return quotaBytes === 0
      ? MAX_UNSEEN_BYTES
      : Math.min(MAX_UNSEEN_BYTES, Math.max(MIN_UNSEEN_BYTES, quotaBytes / 16));
  }

  /** Throws UPLOAD_TOO_LARGE for a file of so many bytes. */
  checkSize(bytes: number): void {
    const { maxBytes } = this.#limits;
    if (bytes <= maxBytes) return;
    throw new DriverError("UPLOAD_TOO_LARGE", `the file is larger than limits.maxUploadBytes (${maxBytes} bytes)`, {
      metadata: { maxBytes: String(maxBytes) },
    });
  }

  /** Throws QUOTA_EXCEEDED or DISK_FULL where `extraBytes` more would be too much. */
  async check(extraBytes: number): Promise<void> {
    await this.#disk.check(extraBytes);
    const { quotaBytes } = this.#limits;
    if (quotaBytes === 0) return;
    // Counted on disk each time: other driver processes write there, too.
    const used = (await folderBytes(this.#folder)) + extraBytes;
    if (used <= quotaBytes) return;
    throw new DriverError("QUOTA_EXCEEDED", `uploads would take ${used} bytes of uploads.quota (${quotaBytes} bytes)`, {
      metadata: { usedBytes: String(used), quotaBytes: String(quotaBytes) },
    });
  }
}
