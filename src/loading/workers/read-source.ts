import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { LoadProgress } from "../../engine/engine.ts";
import type { SegmentLimits, WrittenSegments } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { LibrarySet } from "../../library-sets/model.ts";
import type { RanWith } from "../../library-sets/ran-with.ts";
import type { Partition, Source, SourcePlan } from "../../sources/connector.ts";
import { mergedSegments } from "../merged-segments.ts";
import type { ParamsOf, ResultOf, WorkerEvent, WorkerMethod } from "../worker/protocol.ts";
import { endStatements } from "./end-statements.ts";
import type { WorkerLease, WorkerPool } from "./model.ts";
import type { CallOptions } from "./worker-process.ts";

/** Gives a place among the statements that a connection may run at once. */
export type StatementPermits = NonNullable<CallOptions["onStatement"]>;

export interface ReadSourceOptions {
  readonly pool: WorkerPool;
  readonly source: Source;
  /** Undefined: the built-in one. */
  readonly set: LibrarySet | undefined;
  readonly signal: AbortSignal;
  /** Staged and empty; the segments come here. */
  readonly directory: string;
  readonly limits: SegmentLimits;
  readonly permits: StatementPermits;
  readonly listener: ReadListener;
}

export interface ReadListener {
  onProgress(progress: Partial<LoadProgress> & { readonly totalBytes?: number }): void;
  onPhase(phase: string): void;
  onWarning(messages: readonly string[]): void;
}

/** What a load has written, and with which packages. */
export interface ReadSegments extends WrittenSegments {
  readonly ranWith: RanWith;
}

/** How long a load waits for more workers before it begins with those that it has. */
const JOIN_TIMEOUT_MS = 3_000;
const CLOSE_TIMEOUT_MS = 10_000;

/** Reads a whole source into segments: one worker plans, and reads its partitions together with others. */
export async function readSource(options: ReadSourceOptions): Promise<ReadSegments> {
  const reading = new Reading(options);
  try {
    return await reading.run();
  } finally {
    await reading.close();
  }
}

class Reading {
  readonly #options: ReadSourceOptions;
  /** Aborted with the first failure, so that all parts of a load end together. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #participants: Participant[] = [];
  readonly #progress = new Map<number, LoadProgress>();
  #plan: SourcePlan | undefined;

  constructor(options: ReadSourceOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  async run(): Promise<ReadSegments> {
    try {
      const written = await this.#read();
      return { ...written, ranWith: await this.#ranWith() };
    } catch (error) {
      // What stopped the work is what went wrong, whatever it made of its end.
      this.#options.signal.throwIfAborted();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#participants.map((participant) => participant.close()));
  }

  async #read(): Promise<WrittenSegments> {
    const { pool, listener } = this.#options;
    const leader = await this.#join("first");
    const plan = await leader.call("planLoad", { maxPartitions: pool.maxForLoads }, this.#signal, (event) =>
      this.#hear(event, BEFORE),
    );
    this.#plan = plan;
    this.#progress.delete(BEFORE);
    listener.onWarning(plan.warnings);
    listener.onProgress({ totalBytes: plan.totalBytes });
    await this.#gather(leader, plan);
    const queue = [...plan.partitions.entries()];
    const written: WrittenSegments[] = [];
    const work = async (participant: Participant) => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [number, partition] = next;
        written[number] = await this.#readPartition(participant, partition, number);
      }
    };
    const parts = this.#participants.map((participant) =>
      work(participant).catch((error: unknown) => {
        this.#stop.abort(error);
        throw error;
      }),
    );
    const results = await Promise.allSettled(parts);
    // A file that was cut while it was read looks broken; that it changed is what is wrong with it.
    if (!leader.isOver && !this.#options.signal.aborted)
      await leader.call("requireUnchanged", {}, this.#options.signal);
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return mergedSegments(written);
  }

  async #ranWith(): Promise<RanWith> {
    const { set } = this.#options;
    const told = await Promise.all(
      this.#participants.map((participant) => participant.call("packagesInUse", {}, this.#options.signal)),
    );
    const unique = new Map(told.flat().map((used) => [`${used.name}@${used.version}`, used]));
    const packages = [...unique.keys()].sort().flatMap((key) => unique.get(key) ?? []);
    return { packages, ...(set && { set: { name: set.name, hash: set.hash } }) };
  }

  async #readPartition(participant: Participant, partition: Partition, number: number): Promise<WrittenSegments> {
    const threads = this.#options.pool.threadShare();
    const written = await participant.call("readPartition", { partition, number, threads }, this.#signal, (event) =>
      this.#hear(event, number),
    );
    requireOwnFiles(written);
    return written;
  }

  /** Lets more workers read the same snapshot; those that don't come in time are not waited for. */
  async #gather(leader: Participant, { partitions, shared, columns }: SourcePlan): Promise<void> {
    const wanted = shared === undefined ? 0 : Math.min(partitions.length, this.#options.pool.maxForLoads) - 1;
    if (wanted > 0 && shared !== undefined) {
      const late = new AbortController();
      const signal = AbortSignal.any([this.#signal, late.signal]);
      const joining = Array.from({ length: wanted }, async () => {
        const other = await this.#join("more", signal);
        await this.#orLeave(other, other.call("joinLoad", { columns, shared }, this.#signal));
      });
      const enough = setTimeout(JOIN_TIMEOUT_MS, undefined, { signal, ref: false }).then(
        () => late.abort(new DriverError("CANCELLED", "the load has begun with the workers that it has")),
        () => undefined,
      );
      const joined = await Promise.allSettled(joining);
      late.abort();
      await enough;
      this.#signal.throwIfAborted();
      for (const result of joined) if (result.status === "rejected") this.#warnUnless(result.reason, late.signal);
    }
    await leader.call("joinedLoad", {}, this.#signal);
  }

  #warnUnless(thrown: unknown, late: AbortSignal): void {
    const error = DriverError.from(thrown);
    if (error === late.reason || error.reason === "CANCELLED") return;
    this.#options.listener.onWarning([`a worker could not take part: ${error.message}`]);
  }

  async #join(purpose: "first" | "more", signal = this.#signal): Promise<Participant> {
    const { pool, source, set, directory, limits } = this.#options;
    const lease = await pool.lease(purpose, { signal, set });
    const workDirectory = join(directory, `work-${this.#participants.length + 1}-${lease.pid}`);
    const participant = new Participant(lease, workDirectory, this.#options);
    this.#participants.push(participant);
    const params = { source, directory, workDirectory, limits };
    await this.#orLeave(participant, participant.call("openLoad", params, this.#signal));
    return participant;
  }

  /** Whoever could not begin takes no partitions: a server may have no place for one more session. */
  async #orLeave(participant: Participant, beginning: Promise<unknown>): Promise<void> {
    try {
      await beginning;
    } catch (error) {
      this.#participants.splice(this.#participants.indexOf(participant), 1);
      await participant.close();
      throw error;
    }
  }

  #hear(event: WorkerEvent, number: number): void {
    const { listener } = this.#options;
    if (event.type === "phase") listener.onPhase(event.phase);
    if (event.type === "warning") listener.onWarning(event.messages);
    if (event.type !== "progress") return;
    this.#progress.set(number, event.progress);
    const all = [...this.#progress.values()];
    const rows = all.reduce((sum, progress) => sum + progress.rows, 0);
    const bytes = all.reduce((sum, progress) => sum + progress.bytes, 0);
    listener.onProgress({ rows, bytes, fraction: this.#fraction(event.progress, rows, bytes) });
  }

  /** The engine's own where there is one partition, else by bytes or rows. */
  #fraction({ fraction }: LoadProgress, rows: number, bytes: number): number | undefined {
    const { partitions, totalBytes, estimatedRows } = this.#plan ?? { partitions: [], totalBytes: 0 };
    if (fraction !== undefined && partitions.length <= 1) return fraction;
    if (totalBytes > 0) return Math.min(MAX_ESTIMATE, bytes / totalBytes);
    return estimatedRows ? Math.min(MAX_ESTIMATE, rows / estimatedRows) : undefined;
  }
}

/** In the place of a partition's number: what is done before there are any. */
const BEFORE = -1;
const MAX_ESTIMATE = 0.99;

/** Names become paths in the load's folder, and code of a package may have a say in what a worker tells. */
function requireOwnFiles({ segments }: WrittenSegments): void {
  const odd = segments.find(({ file }) => !/^[\w-]+(?:\.[\w-]+)*$/.test(file));
  if (odd !== undefined) throw new DriverError("INTERNAL", `a worker named a segment ${JSON.stringify(odd.file)}`);
}

/** A worker that takes part in a load, and what is left to do when it dies. */
class Participant {
  readonly #lease: WorkerLease;
  readonly #workDirectory: string;
  readonly #options: ReadSourceOptions;

  constructor(lease: WorkerLease, workDirectory: string, options: ReadSourceOptions) {
    this.#lease = lease;
    this.#workDirectory = workDirectory;
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#lease.isOver;
  }

  call<M extends WorkerMethod>(
    method: M,
    params: ParamsOf<M>,
    signal: AbortSignal,
    onEvent?: (event: WorkerEvent) => void,
  ): Promise<ResultOf<M>> {
    return this.#lease.call(method, params, {
      signal,
      onStatement: this.#options.permits,
      ...(onEvent && { onEvent }),
    });
  }

  async close(): Promise<void> {
    const { pool, source, set } = this.#options;
    try {
      if (!this.isOver) await this.#lease.call("closeLoad", {}, { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) });
    } catch {
      this.#lease.discard();
    }
    try {
      // Also where it has died just now, or did not close in time.
      if (this.isOver) await endStatements(pool, { source, set }, this.#lease.openStatements);
    } catch {
      // The server will find out that nobody reads any more.
    } finally {
      await this.#lease[Symbol.asyncDispose]();
      // The load may go on without it, and would publish what it has left.
      if (this.isOver) await rm(this.#workDirectory, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}
