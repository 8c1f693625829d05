import { randomUUID } from "node:crypto";
import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import type { LibrarySet } from "../../src/library-sets/model.ts";
import { PublishedSets } from "../../src/library-sets/published-sets.ts";
import { DEFAULT_SEGMENT_LIMITS } from "../../src/loading/service.ts";
import type { WorkerPool } from "../../src/loading/workers/model.ts";
import { type ReadSegments, readSource } from "../../src/loading/workers/read-source.ts";
import type { WorkerPoolEvent } from "../../src/loading/workers/worker-pool.ts";
import type { Source, SourceTest } from "../../src/sources/connector.ts";
import { type FolderSetOptions, folderSet } from "./set-folder.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { openTestWorkers, type TestWorkerOptions } from "./workers.ts";

/** Workers with library sets over a data directory of their own. */
export interface SetBench extends AsyncDisposable {
  readonly path: string;
  readonly dataDirectory: string;
  readonly workers: WorkerPool;
  readonly events: readonly WorkerPoolEvent[];
  makeSet(name: string, options: FolderSetOptions): Promise<LibrarySet>;
  /** The folder of a set's files. */
  folderOf(set: LibrarySet): string;
  /** Reads a whole source; what was written lies in `directory`. */
  load(
    source: Source,
    set: LibrarySet | undefined,
    options?: BenchLoad,
  ): Promise<ReadSegments & { readonly directory: string }>;
  test(source: Source, set: LibrarySet | undefined): Promise<SourceTest>;
}

export interface BenchLoad {
  readonly signal?: AbortSignal;
  readonly onPhase?: (phase: string) => unknown;
}

export async function openSetBench(options: TestWorkerOptions = {}): Promise<SetBench> {
  const parts = new AsyncDisposableStack();
  const folder = parts.use(await temporaryFolder());
  const path = await realpath(folder.path);
  const dataDirectory = join(path, "data");
  const staging = join(dataDirectory, "staging", "test");
  const work = join(dataDirectory, "work");
  await mkdir(work, { recursive: true });
  const events: WorkerPoolEvent[] = [];
  const sets = new PublishedSets(dataDirectory);
  const workers = parts.use(
    openTestWorkers(work, { events, librarySets: { sets, stagingFolder: staging }, ...options }),
  );
  const { signal: never } = new AbortController();
  return {
    ...{ path, dataDirectory, workers, events },
    makeSet: (name, made) => folderSet(dataDirectory, name, made),
    folderOf: ({ hash }) => sets.folderOf(hash),
    async load(source, set, { signal = never, onPhase = () => undefined } = {}) {
      const directory = join(staging, randomUUID());
      await mkdir(directory, { recursive: true });
      const permits = async () => ({ [Symbol.dispose]: () => undefined });
      const limits = DEFAULT_SEGMENT_LIMITS;
      const listener = { onProgress: () => undefined, onPhase, onWarning: () => undefined };
      const read = await readSource({ pool: workers, source, set, signal, directory, limits, permits, listener });
      return { ...read, directory };
    },
    async test(source, set) {
      await using lease = await workers.lease("interactive", { signal: never, set });
      return await lease.call("testSource", { source }, { signal: never });
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
