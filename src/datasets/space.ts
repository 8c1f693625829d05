import { statfs } from "node:fs/promises";
import { DriverError } from "../errors/driver-error.ts";
import { asStorageError, folderBytes } from "./files.ts";
import { datasetsFolder, stagingFolder } from "./layout.ts";

export interface SpaceLimits {
  /** What datasets and staged versions may take together, in bytes; 0: only the disk counts. */
  readonly maxBytes: number;
  /** What must stay free on the disk, in bytes. */
  readonly minFreeBytes: number;
}

/** Refuses to fill the disk. */
export class Space {
  readonly #dataDirectory: string;
  readonly #limits: SpaceLimits;

  constructor(dataDirectory: string, limits: SpaceLimits) {
    this.#dataDirectory = dataDirectory;
    this.#limits = limits;
  }

  /** Throws QUOTA_EXCEEDED or DISK_FULL where `extraBytes` more would be too much. */
  async check(extraBytes = 0): Promise<void> {
    await this.#checkFree(extraBytes);
    if (this.#limits.maxBytes > 0) await this.#checkQuota(extraBytes);
  }

  async #checkFree(extraBytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#dataDirectory).catch((error) => {
      throw asStorageError(error);
    });
    const free = bavail * bsize;
    const { minFreeBytes } = this.#limits;
    if (free - extraBytes >= minFreeBytes && free > 0) return;
    throw new DriverError(
      "DISK_FULL",
      `the disk of ${this.#dataDirectory} has ${free} bytes free; ${minFreeBytes + extraBytes} are needed`,
      {
        metadata: {
          path: this.#dataDirectory,
          freeBytes: String(free),
          neededBytes: String(minFreeBytes + extraBytes),
        },
      },
    );
  }

  async #checkQuota(extraBytes: number): Promise<void> {
    // Counted on disk each time: other driver processes write there, too. A walk over 10,000 files takes about 0.1 s.
    const seen = new Set<number>();
    const folders = [datasetsFolder(this.#dataDirectory), stagingFolder(this.#dataDirectory)];
    const used = (await Promise.all(folders.map((folder) => folderBytes(folder, seen)))).reduce(
      (sum, bytes) => sum + bytes,
      extraBytes,
    );
    const { maxBytes } = this.#limits;
    if (used <= maxBytes) return;
    throw new DriverError(
      "QUOTA_EXCEEDED",
      `${this.#dataDirectory} holds ${used} bytes of ${maxBytes} that its quota allows`,
      {
        metadata: { path: this.#dataDirectory, usedBytes: String(used), quotaBytes: String(maxBytes) },
      },
    );
  }
}
