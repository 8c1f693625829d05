import { existsSync } from "node:fs";
import type { DatasetCatalog } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import { Exclusive } from "./exclusive.ts";
import type { Version } from "./version.ts";

/**
 * Tells the other driver processes which versions this one reads, so that they leave them alone. It is written once for a
 * version and stays while the version is the current one, so that queries pay nothing for it.
 */
export class Holds {
  readonly #catalog: DatasetCatalog;
  readonly #exclusive = new Exclusive();
  /** Held, not read, and no longer current. */
  readonly #idle = new Set<Version>();

  constructor(catalog: DatasetCatalog) {
    this.#catalog = catalog;
  }

  /** To be asked by a reader that has pinned a version which is not held yet. Answers false where the version is gone. */
  take(version: Version): Promise<boolean> {
    return this.#exclusive.run(version.table, async () => {
      if (version.held) return true;
      try {
        await this.#catalog.hold(version.uid, version.number);
        version.held = true;
      } catch (error) {
        // A full disk must not keep anybody from reading. Unheld, the version may go while it is read; then that is said.
        if (!(error instanceof DriverError) || error.reason !== "DISK_FULL") throw error;
      }
      // Only now is it certain that nobody takes it away after the look.
      if (existsSync(version.folder)) return true;
      await this.#drop(version);
      return false;
    });
  }

  /** Lets go of a version soon, unless it is read again. */
  letGoSoon(version: Version): void {
    if (version.held && version.pins === 0) this.#idle.add(version);
  }

  /** Lets go of what has been left; answers of which datasets. */
  async letGoIdle(): Promise<ReadonlySet<string>> {
    const uids = new Set<string>();
    for (const version of this.#idle) {
      await this.letGo(version);
      uids.add(version.uid);
    }
    return uids;
  }

  /** Lets go of a version unless it is read. */
  letGo(version: Version): Promise<void> {
    this.#idle.delete(version);
    return this.#exclusive.run(version.table, async () => {
      if (version.held && version.pins === 0) await this.#drop(version);
    });
  }

  async #drop(version: Version): Promise<void> {
    // Before anything is waited for: a reader that comes now takes it anew.
    version.held = false;
    try {
      await this.#catalog.letGo(version.uid, version.number);
    } catch (error) {
      // As long as the others believe that it is read, this process must know that it has said so.
      version.held = true;
      this.#idle.add(version);
      throw error;
    }
  }
}
