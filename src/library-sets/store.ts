import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { folderMode } from "../config/file-modes.ts";
import { formatDuration } from "../config/units.ts";
import { asStorageError, makeFolder, namesIn } from "../datasets/files.ts";
import { Space } from "../datasets/space.ts";
import { DriverError } from "../errors/driver-error.ts";
import { watchSpace } from "../loading/watch-space.ts";
import type { Pool } from "../scheduling/model.ts";
import type { SourceKind } from "../sources/connector.ts";
import { checkSettings } from "./check-settings.ts";
import { isSetName, namesFolder, stagingFolder } from "./layout.ts";
import {
  type DamagedSet,
  type DescribeSet,
  type FindUsers,
  type ImportOptions,
  type InstallOptions,
  type LibraryPackage,
  type LibrarySet,
  type LibrarySetDraft,
  type LibrarySetManifest,
  type LibrarySetPointer,
  type LibrarySetStore,
  MANIFEST_FORMAT,
  type UnlessUsed,
} from "./model.ts";
import { damagedName, requireHash } from "./pointers.ts";
import { PublishedSets } from "./published-sets.ts";
import { SetNames } from "./set-names.ts";
import { asPackageUnsafe, sealTree } from "./tree.ts";

export interface LibrarySetStoreOptions {
  /** Real. */
  readonly dataDirectory: string;
  readonly instanceId: string;
  /** Whether the driver process with an id still lives. */
  readonly isAlive: (instanceId: string) => Promise<boolean>;
  readonly describe: DescribeSet;
  readonly users: FindUsers;
  readonly kinds: readonly SourceKind[];
  /** The `librarySets.registry` setting; empty for npm's own configuration. */
  readonly registry: string;
  readonly environment: NodeJS.ProcessEnv;
  /** What must stay free on the disk. */
  readonly minFreeBytes: number;
  /** Makes installs wait for each other: each is a program that computes. */
  readonly pool: Pool;
}

/** A set that has no name yet is left alone for so long. */
const GRACE_MS = 60 * 60_000;
/** npm itself gives a registry that is silent 5 minutes, three times. */
const INSTALL_TIMEOUT_MS = 30 * 60_000;

export async function openLibrarySets(options: LibrarySetStoreOptions): Promise<LibrarySetStore> {
  await makeFolder(namesFolder(options.dataDirectory));
  await makeFolder(stagingFolder(options.dataDirectory));
  return new FolderStore(options);
}

class FolderStore implements LibrarySetStore {
  readonly #options: LibrarySetStoreOptions;
  readonly #staging: string;
  readonly #names: SetNames;
  readonly #sets: PublishedSets;
  readonly #space: Space;

  constructor(options: LibrarySetStoreOptions) {
    const { dataDirectory, instanceId, minFreeBytes } = options;
    this.#options = options;
    this.#staging = stagingFolder(dataDirectory);
    this.#names = new SetNames(dataDirectory, instanceId);
    this.#sets = new PublishedSets(dataDirectory);
    this.#space = new Space(dataDirectory, { maxBytes: 0, minFreeBytes });
  }

  async byName(name: string): Promise<LibrarySet> {
    return this.#withManifest(await this.#names.get(name));
  }

  byHash(hash: string): Promise<LibrarySetManifest> {
    return this.#sets.manifest(hash);
  }

  async list(): Promise<readonly (LibrarySet | DamagedSet)[]> {
    return Promise.all(
      (await this.#names.list()).map((pointer) => orDamaged(pointer, () => this.#withManifest(pointer))),
    );
  }

  async look(name: string): Promise<(LibrarySet & { readonly lockfile: string }) | DamagedSet> {
    const pointer = await this.#names.get(name);
    return orDamaged(pointer, async () => {
      const set = await this.#withManifest(pointer);
      return { ...set, lockfile: await this.#sets.lockfile(set.hash) };
    });
  }

  folderOf(hash: string): string {
    return this.#sets.folderOf(hash);
  }

  verify(hash: string, options: { readonly signal: AbortSignal }): Promise<void> {
    return this.#sets.verify(hash, options);
  }

  async create(draft: LibrarySetDraft, { signal: asked, onProgress }: InstallOptions): Promise<LibrarySet> {
    checkName(draft.name);
    return this.#staged(asked, async (folder, signal) => {
      const { registry, environment } = this.#options;
      const workFolder = `${folder}.work`;
      const parts = { folder, workFolder, registry, environment, signal, ...(onProgress && { onProgress }) };
      const { install } = await import("./install.ts");
      const { lockfile, packages, platform } = await install(draft, parts);
      const described = await this.#describe(folder, packages, signal);
      checkSettings(draft.settings, { ...described, packages }, this.#options.kinds);
      const total = packages.length;
      onProgress?.({ phase: "publishing", packages: total, totalPackages: total });
      const manifest: LibrarySetManifest = {
        format: MANIFEST_FORMAT,
        ...{ asked: lockfile.asked, packages, settings: draft.settings, ...described },
        files: await sealTree(folder, { signal }),
        ...(platform !== undefined && { platform }),
      };
      return this.#publish(folder, manifest, draft, signal);
    });
  }

  import(archive: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<LibrarySet> {
    checkName(options.name);
    return this.#staged(options.signal, async (folder, signal) => {
      const { readArchive } = await import("./archive.ts");
      const { checkOffered, checkUnpacked } = await import("./check-unpacked.ts");
      const { manifest } = await readArchive(folder, archive, {
        signal,
        onManifest: async ({ files, platform }) => {
          requireThisPlatform(platform);
          await this.#space.check(files.reduce((sum, { bytes }) => sum + bytes, 0));
        },
      });
      await checkUnpacked(folder, manifest);
      checkOffered(manifest, await this.#describe(folder, manifest.packages, signal));
      checkSettings(manifest.settings, manifest, this.#options.kinds);
      await sealTree(folder, { signal });
      return this.#publish(folder, manifest, options, signal);
    });
  }

  async *export(name: string, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<Uint8Array, void> {
    const { hash, manifest } = await this.byName(name);
    await this.#sets.verify(hash, { signal });
    const { writeArchive } = await import("./archive.ts");
    yield* writeArchive(this.folderOf(hash), hash, manifest, { signal });
  }

  async remove(name: string): Promise<void> {
    const pointer = await this.#names.get(name);
    // Nobody shall sweep it before it is sure that nobody needs its name.
    await this.#sets.touch(pointer.hash);
    await this.#names.remove(pointer, () => this.#requireUnused(pointer));
  }

  async sweep(unlessUsed: UnlessUsed): Promise<void> {
    const { instanceId, isAlive } = this.#options;
    for (const name of await namesIn(this.#staging)) {
      const owner = name.slice(0, "00000000-0000-0000-0000-000000000000".length);
      if (owner === instanceId || (await isAlive(owner))) continue;
      await this.#names.giveBack(name);
      await rm(join(this.#staging, name), { recursive: true, force: true });
    }
    for (const hash of await this.#sets.list()) {
      if (await this.#isWanted(hash)) continue;
      const aside = this.#newStage();
      await unlessUsed(hash, async () => {
        if (await this.#isWanted(hash)) return;
        await this.#sets.moveAside(hash, aside);
        // Whoever publishes it again gives it its name and then looks whether it is there.
        if (await this.#isNamed(hash)) await this.#sets.putBack(hash, aside);
      });
      await rm(aside, { recursive: true, force: true });
    }
  }

  async #isNamed(hash: string): Promise<boolean> {
    return (await this.#names.list()).some((pointer) => pointer.hash === hash);
  }

  /** The time comes last: whoever takes a name away, or is about to give one, has touched the set before. */
  async #isWanted(hash: string): Promise<boolean> {
    if (await this.#isNamed(hash)) return true;
    const time = await this.#sets.timeOf(hash);
    return time === undefined || Date.now() - time.getTime() < GRACE_MS;
  }

  async #withManifest(pointer: LibrarySetPointer): Promise<LibrarySet> {
    const { name, hash } = pointer;
    requireHash(pointer);
    const manifest = await this.#sets.manifest(hash).catch((error: unknown) => {
      if (!(error instanceof DriverError) || error.reason !== "LIBRARY_SET_NOT_FOUND") throw error;
      throw filesGone(name, hash);
    });
    return { ...pointer, manifest };
  }

  #newStage(): string {
    return join(this.#staging, `${this.#options.instanceId}-${randomUUID()}`);
  }

  /** Works in a folder that nobody sees, with an eye on the disk; removes it where the work fails. */
  async #staged<T>(asked: AbortSignal, work: (folder: string, signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    using _ = await this.#options.pool.acquire({ signal: asked, lane: "interactive", caller: "library-sets" });
    await this.#space.check();
    const folder = this.#newStage();
    await mkdir(folder, { mode: folderMode() });
    using watch = watchSpace(() => this.#space.check(), { signal: AbortSignal.any([asked, late.signal]) });
    const timer = setTimeout(() => late.abort(tooLate()), INSTALL_TIMEOUT_MS);
    try {
      return await work(folder, watch.signal);
    } catch (error) {
      watch.signal.throwIfAborted();
      throw asPackageUnsafe(asStorageError(error));
    } finally {
      clearTimeout(timer);
      for (const name of await readdir(this.#staging))
        if (join(this.#staging, name).startsWith(folder))
          await rm(join(this.#staging, name), { recursive: true, force: true });
    }
  }

  #describe(folder: string, packages: readonly LibraryPackage[], signal: AbortSignal) {
    return this.#options.describe({ folder, packages }, { signal });
  }

  async #publish(
    folder: string,
    manifest: LibrarySetManifest,
    { name, createdBy, replace }: Pick<LibrarySetDraft, "name" | "createdBy" | "replace">,
    signal: AbortSignal,
  ): Promise<LibrarySet> {
    for (;;) {
      const hash = await this.#sets.publish(folder, manifest, { signal });
      const pointer = await this.#names.set({ name, hash, createTime: new Date(), createdBy }, { replace });
      // A sweep may have taken away what was there already, before it had this name. Then the staged one is still here.
      if (await this.#sets.touch(hash)) return { ...pointer, manifest };
      if ((await namesIn(folder)).length === 0) throw filesGone(name, hash);
    }
  }

  async #requireUnused(pointer: LibrarySetPointer): Promise<void> {
    const users = await this.#options.users(pointer);
    if (users.length === 0) return;
    const { name } = pointer;
    throw new DriverError("LIBRARY_SET_IN_USE", `the library set "${name}" is used by ${users.join(", ")}`, {
      metadata: { librarySet: name, users: users.join(", ") },
    });
  }
}

function checkName(name: string): void {
  if (isSetName(name)) return;
  throw new DriverError(
    "INVALID_LIBRARY_SET",
    `${JSON.stringify(name)} is no name of a library set: lower case letters, digits, dots, dashes and underscores`,
    { metadata: { librarySet: name } },
  );
}

/** What is found at a pointer, or what is wrong with it. */
async function orDamaged<T>(pointer: LibrarySetPointer, find: () => Promise<T>): Promise<T | DamagedSet> {
  return find().catch((error: unknown) => {
    if (error instanceof DriverError && error.reason === "LIBRARY_SET_DAMAGED") return { ...pointer, problem: error };
    throw error;
  });
}

function filesGone(name: string, hash: string): DriverError {
  return damagedName(name, `its files are gone (${hash.slice(0, 12)})`, hash);
}

function tooLate(): DriverError {
  return new DriverError("INSTALL_FAILED", `it took longer than ${formatDuration(INSTALL_TIMEOUT_MS)}`);
}

function requireThisPlatform(platform: string | undefined): void {
  const here = `${process.platform}-${process.arch}`;
  if (platform === undefined || platform === here) return;
  throw new DriverError("LIBRARY_SET_INCOMPATIBLE", `the set was made on ${platform}; this machine is ${here}`, {
    metadata: { platform, here },
  });
}
