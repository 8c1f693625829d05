import type { DatasetRecord } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Version } from "./version.ts";

/** One dataset in this process. */
export class Dataset {
  record: DatasetRecord;
  readonly #versions = new Map<number, Version>();
  readonly #retired = new Set<Version>();
  #current: Version | undefined;
  /** Its folder goes with its last reader. */
  deleted = false;

  constructor(record: DatasetRecord) {
    this.record = record;
  }

  /** The version with the highest number. */
  get current(): Version | undefined {
    return this.#current;
  }

  add(version: Version): void {
    this.#versions.set(version.number, version);
    if (this.#current === undefined || version.number > this.#current.number) this.#current = version;
  }

  /** Hides a version; it is not gone before `forget`. Never the current one. */
  retire(version: Version): void {
    version.retired = true;
    this.#versions.delete(version.number);
    this.#retired.add(version);
  }

  /** Hides all versions for good. */
  retireAll(): void {
    for (const version of [...this.#versions.values()]) this.retire(version);
    this.deleted = true;
  }

  forget(version: Version): void {
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

  /** Hidden versions whose files may still be there. */
  get retired(): readonly Version[] {
    return [...this.#retired];
  }

  /** Whether somebody reads any version, hidden ones included. */
  get isPinned(): boolean {
    return [...this.#versions.values(), ...this.#retired].some(({ pins }) => pins > 0);
  }

  /** Says of damage which version it concerns; other errors come back as they are. */
  explainDamage(version: Version, error: unknown): unknown {
    if (!(error instanceof DriverError) || error.reason !== "VERSION_DAMAGED") return error;
    const which = version === this.#current ? "the current version" : "version";
    const message = `${which} ${version.number} of "${this.record.name}" is damaged: ${error.message}`;
    return new DriverError("VERSION_DAMAGED", message, {
      metadata: { dataset: this.record.name, version: String(version.number) },
      cause: error,
    });
  }
}
