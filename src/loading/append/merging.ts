import { segmentIdentity } from "../../datasets/kept-segments.ts";
import type { PinnedVersion, VersionContent, VersionManifest } from "../../datasets/model.ts";
import type { SegmentInfo, WrittenSegments } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { chooseMerge, countSmall } from "./choose-merge.ts";
import { type Base, extendVersion, pinIfThere } from "./extend-version.ts";
import { extendedLineage } from "./flush.ts";
import type { AppendServiceParts } from "./parts.ts";

/** With more small segments than this an append waits until some are merged. */
const MAX_SMALL = 128;
const CALLER = "merging of small segments";

/** The merging of one dataset, as long as there is something to merge. */
interface Run {
  /** Whether new versions have come since it looked. */
  again: boolean;
  /** Aborted when it must not wait for its turn any more. */
  readonly hurry: AbortController;
  done: Promise<void>;
}

/**
 * Merges small segments in the background, as new versions with the same rows. It waits behind loads, until somebody waits for it.
 * What it could not do is done after the next append.
 */
export class Merging implements AsyncDisposable {
  readonly #parts: AppendServiceParts;
  readonly #runs = new Map<string, Run>();
  readonly #closing = new AbortController();

  constructor(parts: AppendServiceParts) {
    this.#parts = parts;
  }

  /** Looks whether there is something to merge in a dataset. */
  look(dataset: string): void {
    if (this.#closing.signal.aborted) return;
    const present = this.#runs.get(dataset);
    if (present !== undefined) {
      present.again = true;
      return;
    }
    const run: Run = { again: false, hurry: new AbortController(), done: Promise.resolve() };
    this.#runs.set(dataset, run);
    run.done = this.#run(dataset, run).finally(() => this.#runs.delete(dataset));
    run.done.catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#parts.onEvent({ type: "mergeFailed", dataset, error });
    });
  }

  /** Waits while a dataset has too many small segments for another one. Throws what keeps them from being merged. */
  async catchUp(dataset: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    for (let before = Number.POSITIVE_INFINITY; ; ) {
      const small = await this.#countSmall(dataset, signal);
      if (small <= MAX_SMALL || small >= before) return;
      before = small;
      this.look(dataset);
      const run = this.#runs.get(dataset);
      run?.hurry.abort();
      await sooner(run?.done ?? Promise.resolve(), signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DriverError("DRIVER_STOPPED", "the driver stops"));
    await Promise.allSettled([...this.#runs.values()].map(({ done }) => done));
  }

  async #countSmall(dataset: string, signal: AbortSignal): Promise<number> {
    await using base = await pinIfThere(this.#parts.datasets, dataset, { signal });
    return countSmall(base?.manifest.segments ?? [], this.#parts.limits);
  }

  async #run(dataset: string, run: Run): Promise<void> {
    const { signal } = this.#closing;
    do {
      run.again = false;
      for (let more = true; more; ) {
        await using base = await pinIfThere(this.#parts.datasets, dataset, { signal });
        const chosen = base && chooseMerge(base.manifest.segments, this.#parts.limits);
        more = base !== undefined && chosen !== undefined && (await this.#merge(base, chosen, run, signal));
      }
    } while (run.again);
  }

  /** Answers whether it has merged them. */
  async #merge(base: PinnedVersion, chosen: readonly SegmentInfo[], run: Run, signal: AbortSignal): Promise<boolean> {
    const { datasets, onEvent } = this.#parts;
    const { dataset } = base;
    await using turn = await this.#turn(run, signal);
    await using staged = await datasets.stage(dataset, { givesWay: true });
    const written = await this.#write(base, chosen, staged.directory, run, signal);
    turn.release();
    if (written.segments.length >= chosen.length) return false;
    const wanted = new Set(chosen.map(({ file }) => segmentIdentity(base.manifest.number, file)));
    const extend = async (current: Base) => {
      if (current === undefined || current.place.uid !== base.place.uid) return undefined;
      const { manifest } = current;
      const isWanted = ({ file }: SegmentInfo) => wanted.has(segmentIdentity(manifest.number, file));
      // All of them or none: their rows must neither be lost nor doubled.
      if (manifest.segments.filter(isWanted).length !== chosen.length) return undefined;
      const kept = await staged.keep(
        current,
        manifest.segments.filter((segment) => !isWanted(segment)),
      );
      return { content: mergedContent(manifest, kept, written, chosen.length) };
    };
    // Deleted and made anew between two tries: nothing is left to merge.
    const merged = await extendVersion(datasets, dataset, staged, extend, { signal }).catch(undefinedIfGone);
    const [from, into] = [chosen.length, written.segments.length];
    onEvent(merged ? { type: "merged", dataset, from, into, rows: written.rows } : { type: "mergeDropped", dataset });
    return true;
  }

  async #write(
    { manifest, segmentPaths }: PinnedVersion,
    chosen: readonly SegmentInfo[],
    directory: string,
    run: Run,
    signal: AbortSignal,
  ): Promise<WrittenSegments> {
    const { workers, limits } = this.#parts;
    const pathOf = new Map(manifest.segments.map(({ file }, index) => [file, segmentPaths[index] ?? ""]));
    await using lease = await this.#hurried(run, (purpose, wait) => workers.lease(purpose, { signal: wait }), signal);
    return lease.call(
      "mergeSegments",
      {
        paths: chosen.map(({ file }) => pathOf.get(file) ?? ""),
        segments: chosen,
        columns: manifest.columns,
        ...{ directory, limits, prefix: "merged-", threads: 1 },
      },
      { signal },
    );
  }

  /** A place behind the loads; none where somebody waits. */
  async #turn(run: Run, signal: AbortSignal): Promise<AsyncDisposable & { release(): void }> {
    const permit = await this.#hurried(
      run,
      (purpose, wait) =>
        purpose === "interactive"
          ? Promise.resolve(undefined)
          : this.#parts.pool.acquire({ signal: wait, lane: "batch", caller: CALLER }),
      signal,
    );
    const release = () => permit?.[Symbol.dispose]();
    return { release, [Symbol.asyncDispose]: async () => release() };
  }

  /** Waits as one of the last; or, once somebody waits for this, as one of the first. */
  async #hurried<T>(
    run: Run,
    wait: (purpose: "more" | "interactive", signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { signal: hurry } = run.hurry;
    if (!hurry.aborted) {
      try {
        return await wait("more", AbortSignal.any([signal, hurry]));
      } catch (error) {
        if (!hurry.aborted) throw error;
      }
    }
    return wait("interactive", signal);
  }
}

function undefinedIfGone(error: unknown): undefined {
  if (!(error instanceof DriverError) || error.reason !== "DATASET_NOT_FOUND") throw error;
}

function mergedContent(
  manifest: VersionManifest,
  kept: readonly SegmentInfo[],
  { segments }: WrittenSegments,
  from: number,
): VersionContent {
  const all = [...segments, ...kept];
  const { columns, rows, sourceBytes, warnings, rejectedRows, number, lineage } = manifest;
  const bytes = all.reduce((sum, segment) => sum + segment.bytes, 0);
  const merged = { from, into: segments.length };
  return {
    ...{ columns, segments: all, rows, bytes, sourceBytes, warnings, rejectedRows },
    lineage: { ...extendedLineage(lineage, number), merged },
  };
}

function sooner(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
