import { sep } from "node:path";
import type { DatasetRecord } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Reason } from "../errors/reasons.ts";
import type { Version } from "./version.ts";

const ABOUT_FILES: ReadonlySet<Reason> = new Set<Reason>(["VERSION_DAMAGED", "DATA_DIRECTORY_NEWER"]);

/** One dataset in this process. */
export class Dataset {
  record: DatasetRecord;
  readonly #versions = new Map<number, Version>();
  readonly #retired = new Set<Version>();
  #current: Version | undefined;
  /** Its folder goes with its last reader. */
  deleted = false;
  /** Grows with every change of the versions that can be found. */
  revision = 0;

  constructor(record: DatasetRecord) {
    this.record = record;
  }

  /** The version with the highest number. */
  get current(): Version | undefined {
    return this.#current;
  }

  add(version: Version): void {
    this.revision++;
    this.#versions.set(version.number, version);
    if (this.#current === undefined || version.number > this.#current.number) this.#current = version;
  }

  /** Whether a version with this number is there, hidden or not. */
  has(number: number): boolean {
    return this.#versions.has(number) || this.retired.some((version) => version.number === number);
  }

  /** Hides a version; it is not gone before `forget`. */
  retire(version: Version): void {
    this.revision++;
    version.retired = true;
    this.#versions.delete(version.number);
    this.#retired.add(version);
    if (version === this.#current) this.#current = this.newestFirst()[0];
  }

  /** Hides all versions for good. */
  retireAll(): void {
    for (const version of this.newestFirst()) this.retire(version);
    this.deleted = true;
  }

  forget(version: Version): void {
    this.revision++;
    this.#retired.delete(version);
  }

  /** Those that can be found. */
  newestFirst(): readonly Version[] {
    return [...this.#versions.values()].sort((a, b) => b.number - a.number);
  }

  /** The version with this number, 0 for the current one. Throws VERSION_NOT_FOUND. */
  version(number: number): Version {
    const found = number === 0 ? this.#current : this.#versions.get(number);
    if (found === undefined) {
      const { name } = this.record;
      throw new DriverError("VERSION_NOT_FOUND", `the dataset "${name}" has no version ${number}`, {
        metadata: { dataset: name, version: String(number) },
      });
    }
    return found;
  }

  /** The number of the newest version where its folder is gone: an older one must not stand in for it. */
  get lost(): number | undefined {
    const { newestVersion = 0 } = this.record;
    return newestVersion > (this.#current?.number ?? 0) ? newestVersion : undefined;
  }

  /** Throws VERSION_DAMAGED where the current version is asked for (0) and its folder is gone. */
  refuseLost(number: number): void {
    const { lost } = this;
    if (number !== 0 || lost === undefined) return;
    const { name } = this.record;
    throw new DriverError("VERSION_DAMAGED", `the current version ${lost} of "${name}" is gone`, {
      metadata: { dataset: name, version: String(lost) },
    });
  }

  /** Hidden versions whose files may still be there. */
  get retired(): readonly Version[] {
    return [...this.#retired];
  }

  /** Whether somebody reads any version, hidden ones included. */
  get isPinned(): boolean {
    return [...this.#versions.values(), ...this.#retired].some(({ pins }) => pins > 0);
  }

  /**
   * Says which version an error of its files concerns, and not where the data directory lies: that is for the log. Other
   * errors come back as they are.
   */
  explainDamage(version: Version, error: unknown): unknown {
    if (!(error instanceof DriverError) || !ABOUT_FILES.has(error.reason)) return error;
    const which = version === this.#current ? "the current version" : "version";
    const what = error.message.replaceAll(version.folder + sep, "");
    const state = error.reason === "VERSION_DAMAGED" ? "is damaged" : "can't be read";
    const message = `${which} ${version.number} of "${this.record.name}" ${state}: ${what}`;
    return new DriverError(error.reason, message, {
      metadata: { dataset: this.record.name, version: String(version.number) },
      cause: error,
    });
  }
}
