import { rm } from "node:fs/promises";
import { makeOwnFolder } from "../../config/own-folder.ts";
import { asStorageError } from "../../datasets/files.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { HttpAccess } from "../../sources/connector.ts";
import type { WorkerSetup } from "../worker/protocol.ts";
import { HandedFiles } from "./handed-files.ts";
import type { LeaseOptions, LeasePurpose, RunnableSet, WorkerLease, WorkerPool, WorkerPoolStatus } from "./model.ts";
import { type SetStart, SetWorkers, type SetWorkersOptions } from "./set-workers.ts";
import { type Waiter, WaitingLine } from "./waiting-line.ts";
import { leaseOf } from "./worker-lease.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface WorkerPoolOptions {
  readonly min: number;
  /** Started with the driver. */
  readonly initial: number;
  readonly max: number;
  /** A worker beyond `min` that had nothing to do for so long ends. */
  readonly idleMs: number;
  readonly hangTimeoutMs: number;
  readonly stopTimeoutMs?: number;
  /** What one worker may take of memory, and its engine of that. */
  readonly workerBytes: number;
  readonly engineBytes: number;
  readonly maxSpillBytes: number;
  /** Of all loads together. */
  readonly threads: number;
  /** Node, its arguments and the worker's program. */
  readonly program: readonly string[];
  /** For the workers' folders. */
  readonly workDirectory: string;
  readonly share: WorkerSetup["share"];
  /** Known once the driver listens. */
  readonly fileRoots: () => readonly string[] | undefined;
  readonly reserved: () => readonly string[];
  readonly parsers: WorkerSetup["parsers"];
  /** Known once the driver listens, too. Left out, nothing is fetched. */
  readonly http?: () => HttpAccess;
  /** Left out, there are no sets but the built-in one. */
  readonly librarySets?: Pick<SetWorkersOptions, "sets" | "stagingFolder">;
  readonly onEvent: (event: WorkerPoolEvent) => void;
}

export type WorkerPoolEvent =
  | {
      readonly type: "started";
      readonly pid: number | undefined;
      readonly durationMs: number;
      /** The name of its library set; undefined for the built-in one. */
      readonly librarySet?: string;
    }
  | { readonly type: "ended"; readonly pid: number | undefined; readonly error: DriverError }
  | { readonly type: "detail"; readonly pid: number | undefined; readonly detail: string };

const NOTHING: HttpAccess = { allowed: [], maxBytes: 0 };

interface Member {
  readonly process: WorkerProcess;
  readonly folder: string;
  /** Undefined: the built-in one. */
  readonly set: RunnableSet | undefined;
  /** For the files of its sources, where it can't open them otherwise. */
  readonly lentFolder: string | undefined;
  state: "starting" | "idle" | "busy" | "ending";
  /** Whether it ends so that one with another set can be started. */
  givesWay?: boolean;
  /** Settles when process and folder are gone. */
  gone: Promise<void>;
  purpose?: LeasePurpose;
  idleTimer?: NodeJS.Timeout;
}

export function createWorkerPool(options: WorkerPoolOptions): WorkerPool {
  return new ElasticPool(options);
}

class ElasticPool implements WorkerPool {
  readonly maxForLoads: number;
  readonly #options: WorkerPoolOptions;
  readonly #members = new Set<Member>();
  readonly #starts = new Set<Promise<void>>();
  readonly #line = new WaitingLine<Member>();
  readonly #sets: SetWorkers | undefined;
  /** The sets of those whose folder is made before there is a process: these count as workers already. */
  readonly #preparing: (string | undefined)[] = [];
  /** Every set that was asked for, by its hash. */
  readonly #known = new Map<string, RunnableSet>();
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.maxForLoads = Math.max(1, options.max - 1);
    const { program, parsers, librarySets } = options;
    this.#sets = librarySets && new SetWorkers(program, { ...librarySets, parserModules: parsers.modules });
  }

  async lease(purpose: LeasePurpose, { signal, set }: LeaseOptions): Promise<WorkerLease> {
    signal.throwIfAborted();
    if (this.#closed) throw new DriverError("NOT_SERVING", "the driver stops");
    if (set !== undefined) this.#known.set(set.hash, set);
    try {
      return this.#leased(await this.#member(purpose, set?.hash, signal));
    } finally {
      if (set?.madeIn !== undefined) this.#known.delete(set.hash);
    }
  }

  threadShare(): number {
    const loading = [...this.#members].filter(({ state, purpose }) => state === "busy" && purpose !== "interactive");
    return Math.max(1, Math.floor(this.#options.threads / Math.max(1, loading.length)));
  }

  warmUp(): void {
    this.#fill();
  }

  status(): WorkerPoolStatus {
    const members = [...this.#members];
    const count = (state: Member["state"]) => members.filter((member) => member.state === state).length;
    const { min, max, workerBytes } = this.#options;
    return {
      now: members.length,
      busy: count("busy"),
      wanted: this.#wanted(),
      pendingToAdd: count("starting") + this.#preparing.length,
      pendingToRemove: count("ending"),
      maxNeeded: count("busy") + this.#line.length,
      queued: this.#line.length,
      min,
      max,
      workerBytes,
      memoryBytes: members.reduce((sum, { process }) => sum + process.memoryBytes, 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const error = new DriverError("DRIVER_STOPPED", "the driver stops");
    for (const { reject } of this.#line.leaveAll()) reject(error);
    this.#sets?.stop(error);
    await Promise.allSettled(this.#starts);
    await Promise.all([...this.#members].map((member) => this.#remove(member)));
  }

  #member(purpose: LeasePurpose, set: string | undefined, signal: AbortSignal): Promise<Member> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#line.leave(waiter);
        reject(signal.reason);
      };
      const settled = () => signal.removeEventListener("abort", leave);
      const waiter: Waiter<Member> = {
        purpose,
        set,
        resolve: (member) => {
          settled();
          resolve(member);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#line.join(waiter);
      this.#dispatch();
    });
  }

  /** Gives idle workers to those who wait, then starts as many as are wanted. */
  #dispatch(): void {
    for (const member of this.#members) {
      if (!isFree(member)) continue;
      const next = this.#line.take(member.set?.hash, {
        loads: this.maxForLoads - this.#loading(),
        hasWorker: (set) => this.#hasRoom() || this.#leaving() > 0 || this.#coming().includes(set),
      });
      if (next === undefined) continue;
      clearTimeout(member.idleTimer);
      member.state = "busy";
      member.purpose = next.purpose;
      next.resolve(member);
    }
    this.#fill();
  }

  #loading(): number {
    return [...this.#members].filter(({ state, purpose }) => state === "busy" && purpose !== "interactive").length;
  }

  /** The sets of those that are free, or will be. */
  #coming(): (string | undefined)[] {
    const members = [...this.#members].filter((member) => member.state === "starting" || isFree(member));
    return [...members.map(({ set }) => set?.hash), ...this.#preparing];
  }

  /** Those that live, or will; what gives way lives until it has gone, since together they must not take more memory than they may. */
  #alive(): number {
    const members = [...this.#members].filter(({ state, givesWay }) => state !== "ending" || givesWay === true);
    return members.length + this.#preparing.length;
  }

  #leaving(): number {
    return [...this.#members].filter(({ givesWay }) => givesWay).length;
  }

  #hasRoom(): boolean {
    return this.#alive() < this.#options.max;
  }

  #wanted(): number {
    const { min, max, initial } = this.#options;
    const busy = [...this.#members].filter(({ state }) => state === "busy").length;
    const { interactive } = this.#line;
    const loads = Math.min(this.#line.length - interactive, this.maxForLoads - this.#loading());
    const first = this.#first ? initial : 0;
    return Math.min(max, Math.max(min, first, busy + interactive + Math.max(0, loads)));
  }

  /** Before anybody asked for a worker. */
  #first = true;

  #fill(): void {
    if (this.#closed) return;
    const coming = this.#coming();
    let leaving = this.#leaving();
    for (const { set } of this.#line.inOrder(this.maxForLoads - this.#loading())) {
      const at = coming.indexOf(set);
      if (at >= 0) coming.splice(at, 1);
      else if (this.#hasRoom()) this.#begin(set);
      else if (leaving > 0) leaving--;
      else this.#makeRoom(coming);
    }
    const { min, initial } = this.#options;
    const fewest = this.#first ? Math.max(min, initial) : min;
    this.#first = false;
    while (this.#alive() < fewest && this.#hasRoom()) this.#begin(undefined);
  }

  /** Ends an idle worker that nobody waits for. */
  #makeRoom(coming: (string | undefined)[]): void {
    const idle = [...this.#members].find((member) => isFree(member) && coming.includes(member.set?.hash));
    if (idle === undefined) return;
    coming.splice(coming.indexOf(idle.set?.hash), 1);
    idle.givesWay = true;
    void this.#remove(idle);
  }

  #begin(set: string | undefined): void {
    this.#preparing.push(set);
    const starting = this.#start(set).finally(() => this.#starts.delete(starting));
    this.#starts.add(starting);
  }

  async #start(hash: string | undefined): Promise<void> {
    const since = performance.now();
    const set = hash === undefined ? undefined : this.#known.get(hash);
    let member: Member | undefined;
    try {
      member = await this.#spawn(set);
      await member.process.ready;
      const durationMs = performance.now() - since;
      const named = set && { librarySet: set.name };
      this.#options.onEvent({ type: "started", pid: member.process.pid, durationMs, ...named });
      this.#idle(member);
    } catch (thrown) {
      // Whoever waits longest hears of it: the next start may fail as well, for the next one.
      const error = DriverError.from(asStorageError(thrown));
      const waiter = this.#line.longest(hash);
      if (waiter !== undefined) {
        this.#line.leave(waiter);
        waiter.reject(error);
      }
      if (member !== undefined) return;
      // No process whose end would look after those that still wait.
      this.#prepared(hash);
      if (this.#line.length > 0) this.#dispatch();
    }
  }

  #prepared(hash: string | undefined): void {
    this.#preparing.splice(this.#preparing.indexOf(hash), 1);
  }

  async #spawn(set: RunnableSet | undefined): Promise<Member> {
    const { workDirectory, share, fileRoots, http, parsers, engineBytes, maxSpillBytes, threads } = this.#options;
    const folder = await makeOwnFolder(workDirectory, "worker-");
    const start = await this.#startOf(set, folder).catch(async (error: unknown) => {
      await rm(folder, { recursive: true, force: true });
      throw error;
    });
    const process = new WorkerProcess({
      program: start?.program ?? this.#options.program,
      setup: {
        share,
        fileRoots: fileRoots(),
        reserved: this.#options.reserved(),
        parsers,
        http: http?.() ?? NOTHING,
        temporaryDirectory: start?.temporaryDirectory ?? folder,
        engine: { memoryLimitBytes: engineBytes, threads, maxSpillBytes },
        ...(start && { set: start.set }),
      },
      ...(start && { codeFolder: start.codeFolder }),
      memoryBytes: this.#options.workerBytes,
      hangTimeoutMs: this.#options.hangTimeoutMs,
      ...(this.#options.stopTimeoutMs !== undefined && { stopTimeoutMs: this.#options.stopTimeoutMs }),
      onDetail: (detail) => this.#options.onEvent({ type: "detail", pid: process.pid, detail }),
    });
    const member: Member = {
      ...{ process, folder, set, lentFolder: start?.lentFolder },
      ...{ state: "starting", gone: Promise.resolve() },
    };
    this.#members.add(member);
    this.#prepared(set?.hash);
    member.gone = process.ended.then((error) => this.#ended(member, error));
    return member;
  }

  async #startOf(set: RunnableSet | undefined, folder: string): Promise<SetStart | undefined> {
    if (set === undefined) return undefined;
    if (this.#sets === undefined) throw new DriverError("INTERNAL", "the pool has no library sets");
    return this.#sets.prepare(set, folder);
  }

  async #ended(member: Member, error: DriverError): Promise<void> {
    clearTimeout(member.idleTimer);
    const { state } = member;
    member.state = "ending";
    if (state !== "ending") this.#options.onEvent({ type: "ended", pid: member.process.pid, error });
    await rm(member.folder, { recursive: true, force: true }).catch(() => undefined);
    this.#members.delete(member);
    // A program that can't start must not be started again and again for nobody.
    if (state !== "starting" || this.#line.length > 0) this.#dispatch();
  }

  #leased(member: Member): WorkerLease {
    const { process, set, lentFolder } = member;
    const { fileRoots, reserved, workerBytes } = this.#options;
    const reach = { fileRoots: fileRoots(), reserved: reserved() };
    return leaseOf({
      process,
      handed: lentFolder === undefined ? undefined : new HandedFiles(lentFolder, reach),
      hasSet: set !== undefined,
      giveBack: async (usable) => {
        // A worker that has grown is not worth what it keeps from others, and nobody will ask for a set in the making again.
        const wanted = process.memoryBytes <= workerBytes / 2 && set?.madeIn === undefined;
        if (usable && wanted) this.#idle(member);
        else await this.#remove(member);
      },
    });
  }

  #idle(member: Member): void {
    if (member.process.isOver) return;
    if (this.#closed) return void this.#remove(member);
    member.state = "idle";
    member.idleTimer = setTimeout(() => this.#retire(member), this.#options.idleMs);
    member.idleTimer.unref();
    this.#dispatch();
  }

  #retire(member: Member): void {
    if (member.state !== "idle") return;
    // One with a library set is of use only to those who ask for that.
    if (member.set !== undefined || this.#alive() > this.#options.min) void this.#remove(member);
  }

  async #remove(member: Member): Promise<void> {
    clearTimeout(member.idleTimer);
    member.state = "ending";
    await member.process.close();
    await member.gone;
  }
}

function isFree({ state, process }: Member): boolean {
  return state === "idle" && !process.isOver;
}
