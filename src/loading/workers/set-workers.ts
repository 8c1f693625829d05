import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { folderMode } from "../../config/file-modes.ts";
import type { LibrarySetStore } from "../../library-sets/model.ts";
import type { WorkerSet } from "../worker/protocol.ts";
import type { RunnableSet } from "./model.ts";
import { permissionArguments } from "./permissions.ts";
import { type ProgramFiles, programFiles } from "./worker-program.ts";

/** What workers with library sets need of the driver. */
export interface SetWorkersOptions {
  readonly sets: Pick<LibrarySetStore, "folderOf" | "verify">;
  /** Where this driver's loads are staged. */
  readonly stagingFolder: string;
  /** Modules with value parsers that the settings name. */
  readonly parserModules: readonly string[];
}

/** How a worker with a library set is started. */
export interface SetStart {
  readonly program: readonly string[];
  readonly set: WorkerSet;
  /** The worker's own, in which it may do what it likes. */
  readonly temporaryDirectory: string;
  /** Where the files of its sources are lent to it: what is there it may read, and not put in another's place. */
  readonly lentFolder: string;
  /** Where workers with this set keep compiled code, for each other and nobody else; it takes a fifth off their start. */
  readonly codeFolder: string;
}

/** Prepares workers that run with library sets. */
export class SetWorkers {
  readonly #options: SetWorkersOptions;
  readonly #program: readonly string[];
  readonly #verified = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  #files: ProgramFiles | undefined;

  constructor(program: readonly string[], options: SetWorkersOptions) {
    this.#program = program;
    this.#options = options;
  }

  /** `workerFolder` is the new worker's. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED, LIBRARY_SET_UNCONFINED. */
  async prepare({ hash, manifest, madeIn }: RunnableSet, workerFolder: string): Promise<SetStart> {
    const { sets, stagingFolder, parserModules } = this.#options;
    if (madeIn === undefined) await this.#verifyOnce(hash);
    const folder = madeIn ?? sets.folderOf(hash);
    this.#files ??= programFiles(this.#program);
    const { folders, interfaceModule } = this.#files;
    const others = [...folders, interfaceModule, ...parserModules];
    const [node = "", ...rest] = this.#program;
    const temporaryDirectory = join(workerFolder, "own");
    const lentFolder = join(workerFolder, "lent");
    const codeFolder =
      madeIn === undefined ? join(dirname(workerFolder), `code-${hash}`) : join(temporaryDirectory, "code");
    // Node takes what is not there for a file, and grants nothing that comes to lie in it.
    for (const own of [temporaryDirectory, lentFolder, codeFolder, stagingFolder])
      await mkdir(own, { recursive: true, mode: folderMode() });
    const permissions = permissionArguments({
      read: [folder, ...others, lentFolder],
      write: [temporaryDirectory, stagingFolder, codeFolder],
    });
    const { packages, connectors, parsers, files } = manifest;
    const hashes = madeIn === undefined ? files.map(({ path, sha256 }) => [path, sha256] as const) : undefined;
    return {
      program: [node, ...permissions, ...rest],
      set: { folder, hashes, packages, connectors, parsers, interfaceModule, others },
      ...{ temporaryDirectory, lentFolder, codeFolder },
    };
  }

  stop(reason: Error): void {
    this.#stop.abort(reason);
  }

  /** Every file, once in the driver's life: workers look at those that they load, and at nothing else of the set. */
  #verifyOnce(hash: string): Promise<void> {
    const present = this.#verified.get(hash);
    if (present !== undefined) return present;
    const verifying = this.#options.sets.verify(hash, { signal: this.#stop.signal });
    this.#verified.set(hash, verifying);
    // It may have been mended by the next time.
    verifying.catch(() => this.#verified.delete(hash));
    return verifying;
  }
}
