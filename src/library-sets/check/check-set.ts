import type { ResolvedSource } from "../../definitions/model.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { WorkerLease, WorkerPool } from "../../loading/workers/model.ts";
import type { SourceTest } from "../../sources/connector.ts";
import { serves } from "../bind-sets.ts";
import { kindsOf, type LibrarySet, type LibrarySetStore } from "../model.ts";
import { type Here, knownProblems } from "./known-problems.ts";
import type { CheckedKind, CheckedParsers, CheckedSource, Problem, SetCheck } from "./model.ts";

export interface CheckSetParts {
  readonly sets: Pick<LibrarySetStore, "byName" | "verify">;
  readonly workers: Pick<WorkerPool, "lease">;
  /** Tests a source. Throws what a load of it would. */
  readonly test: (source: ResolvedSource, options: { readonly signal: AbortSignal }) => Promise<SourceTest>;
  readonly here: Here;
}

export interface CheckSetOptions {
  readonly signal: AbortSignal;
  /** A source as it would be read with this set. Throws what is wrong with it. */
  readonly resolve?: (set: LibrarySet) => Promise<ResolvedSource>;
}

/**
 * Tries a set, whether a configuration names it or not: all of it is read, every connector is loaded in a worker, and a source is tested.
 * What is wrong with it is a problem of the answer. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED, and what is wrong with the source
 * before any code of the set has run.
 */
export async function checkSet(name: string, parts: CheckSetParts, options: CheckSetOptions): Promise<SetCheck> {
  const { sets, here } = parts;
  const { signal } = options;
  const set = await sets.byName(name);
  await sets.verify(set.hash, { signal });
  const source = await options.resolve?.(set);
  const trial = new Trial(set, parts, signal);
  const kinds: CheckedKind[] = [];
  for (const kind of kindsOf(set.manifest)) kinds.push(await trial.load(kind));
  const parsers = await trial.parsers();
  const checked = source && (await trial.source(source));
  const problems = [...knownProblems(set.manifest, here), ...trial.problems];
  const bySeverity = (severity: Problem["severity"]) => problems.filter((problem) => problem.severity === severity);
  return {
    ...{ set, node: here.node, kinds, parsers, source: checked },
    problems: [...bySeverity("error"), ...bySeverity("warning")],
  };
}

/** What is tried with one set, each in a worker that the one before may have ended. */
class Trial {
  readonly problems: Problem[] = [];
  readonly #set: LibrarySet;
  readonly #parts: CheckSetParts;
  readonly #signal: AbortSignal;

  constructor(set: LibrarySet, parts: CheckSetParts, signal: AbortSignal) {
    this.#set = set;
    this.#parts = parts;
    this.#signal = signal;
  }

  async load(kind: string): Promise<CheckedKind> {
    const signal = this.#signal;
    const packages = await this.#attempt(`kind ${kind}`, (lease) => lease.call("loadConnector", { kind }, { signal }));
    return { kind, loads: packages !== undefined, packages: packages ?? [] };
  }

  async parsers(): Promise<readonly CheckedParsers[]> {
    if (this.#set.manifest.parsers.length === 0) return [];
    const signal = this.#signal;
    const told = await this.#attempt("value parsers", (lease) => lease.call("describeConnectors", {}, { signal }));
    return told?.parsers ?? [];
  }

  async source(resolved: ResolvedSource): Promise<CheckedSource> {
    const signal = this.#signal;
    const { kind } = resolved.kind;
    const shown = resolved.named.uri || `connection ${resolved.named.connection}`;
    if (!serves(this.#set, kind))
      this.problems.push({
        ...{ severity: "warning", subject: shown },
        message: `the set has nothing for the kind ${kind}: whatever the configuration says, the driver's own reads it`,
      });
    let test: SourceTest | undefined;
    try {
      test = await this.#parts.test({ ...resolved, set: this.#set }, { signal });
      for (const message of test.warnings ?? []) this.problems.push({ severity: "warning", subject: shown, message });
    } catch (thrown) {
      this.#note(shown, thrown);
    }
    return { kind, test };
  }

  async #attempt<T>(subject: string, work: (lease: WorkerLease) => Promise<T>): Promise<T | undefined> {
    try {
      await using lease = await this.#parts.workers.lease("interactive", { signal: this.#signal, set: this.#set });
      // What ran for another kind must not be counted to this one.
      lease.discard();
      return await work(lease);
    } catch (thrown) {
      this.#note(subject, thrown);
      return undefined;
    }
  }

  #note(subject: string, thrown: unknown): void {
    this.#signal.throwIfAborted();
    const { reason, message } = DriverError.from(thrown);
    // That says nothing of the set.
    if (reason === "NOT_SERVING" || reason === "DRIVER_STOPPED") throw thrown;
    this.problems.push({ severity: "error", subject, message, reason });
  }
}
