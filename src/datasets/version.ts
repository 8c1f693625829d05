import type { DriverError } from "../errors/driver-error.ts";
import { checkSegments, readManifest, type StoredManifest } from "./manifest.ts";
import type { VersionManifest } from "./model.ts";

/** One published version in this process: read when it is first wanted, counted while it is read from. */
export class Version {
  readonly uid: string;
  readonly number: number;
  readonly folder: string;
  /** The table's name in the memory level. */
  readonly table: string;
  /** Readers that hold it. */
  pins = 0;
  /** Whether other processes know that this one reads it. */
  held = false;
  /** No longer to be found; its files go with its last reader. */
  retired = false;
  #stored: Promise<StoredManifest> | undefined;
  #manifest: VersionManifest | undefined;
  #whole: Promise<void> | undefined;
  #isWhole = false;

  constructor(uid: string, number: number, folder: string) {
    this.uid = uid;
    this.number = number;
    this.folder = folder;
    this.table = `v_${uid}_${number}`;
  }

  /** What was read already. */
  get manifest(): VersionManifest | undefined {
    return this.#manifest;
  }

  /** Whether its segments were seen. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** A version that this process has just published needs no look at the disk. */
  markWhole(stored: StoredManifest): void {
    this.#stored = Promise.resolve(stored);
    this.#manifest = stored.manifest;
    this.#isWhole = true;
  }

  /** The manifest, read once. Throws VERSION_DAMAGED, or DATA_DIRECTORY_NEWER; a failure is tried again. */
  read(): Promise<StoredManifest> {
    this.#stored ??= this.#read().catch((error: DriverError) => {
      this.#stored = undefined;
      throw error;
    });
    return this.#stored;
  }

  /** The manifest of a version whose segments are all there; looked at once. Throws VERSION_DAMAGED. */
  async check(): Promise<VersionManifest> {
    const { manifest } = await this.read();
    this.#whole ??= checkSegments(this.folder, manifest).catch((error: DriverError) => {
      this.#whole = undefined;
      throw error;
    });
    await this.#whole;
    this.#isWhole = true;
    return manifest;
  }

  /** Looks at the disk again the next time, after reading from it has failed. */
  doubt(): void {
    this.#whole = undefined;
    this.#isWhole = false;
  }

  async #read(): Promise<StoredManifest> {
    const stored = await readManifest(this.folder);
    this.#manifest = stored.manifest;
    return stored;
  }
}
