import { rm } from "node:fs/promises";
import { makeOwnFolder } from "../../config/own-folder.ts";
import { asStorageError } from "../../datasets/files.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { HttpAccess } from "../../sources/connector.ts";
import type { WorkerSetup } from "../worker/protocol.ts";
import type { LeaseOptions, LeasePurpose, WorkerLease, WorkerPool, WorkerPoolStatus } from "./model.ts";
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
  readonly onEvent: (event: WorkerPoolEvent) => void;
}

export type WorkerPoolEvent =
  | { readonly type: "started"; readonly pid: number | undefined; readonly durationMs: number }
  | { readonly type: "ended"; readonly pid: number | undefined; readonly error: DriverError }
  | { readonly type: "detail"; readonly pid: number | undefined; readonly detail: string };

const NOTHING: HttpAccess = { allowed: [], maxBytes: 0 };

interface Member {
  readonly process: WorkerProcess;
  readonly folder: string;
  state: "starting" | "idle" | "busy" | "ending";
  /** Settles when process and folder are gone. */
  gone: Promise<void>;
  purpose?: LeasePurpose;
  idleTimer?: NodeJS.Timeout;
}

interface Waiter {
  readonly purpose: LeasePurpose;
  readonly resolve: (member: Member) => void;
  readonly reject: (error: unknown) => void;
}

/** Who is served first when a worker becomes free. */
const RANK: Readonly<Record<LeasePurpose, number>> = { interactive: 0, first: 1, more: 2 };

/** Appends never cease to ask: while loads wait, every so many workers go to one of them. */
const LOAD_TURN = 4;

export function createWorkerPool(options: WorkerPoolOptions): WorkerPool {
  return new ElasticPool(options);
}

class ElasticPool implements WorkerPool {
  readonly maxForLoads: number;
  readonly #options: WorkerPoolOptions;
  readonly #members = new Set<Member>();
  readonly #starts = new Set<Promise<void>>();
  readonly #waiting: Waiter[] = [];
  /** Folders are made before processes: these count as workers already. */
  #preparing = 0;
  /** How many interactive ones were served while a load could have been. */
  #givenSinceLoad = 0;
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.maxForLoads = Math.max(1, options.max - 1);
  }

  async lease(purpose: LeasePurpose, { signal }: LeaseOptions): Promise<WorkerLease> {
    signal.throwIfAborted();
    if (this.#closed) throw new DriverError("NOT_SERVING", "the driver stops");
    const member = await this.#member(purpose, signal);
    return this.#leased(member);
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
      pendingToAdd: count("starting") + this.#preparing,
      pendingToRemove: count("ending"),
      maxNeeded: count("busy") + this.#waiting.length,
      queued: this.#waiting.length,
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
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    await Promise.allSettled(this.#starts);
    await Promise.all([...this.#members].map((member) => this.#remove(member)));
  }

  #member(purpose: LeasePurpose, signal: AbortSignal): Promise<Member> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal.reason);
      };
      const settled = () => signal.removeEventListener("abort", leave);
      const waiter: Waiter = {
        purpose,
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
      this.#waiting.push(waiter);
      this.#dispatch();
    });
  }

  /** Gives idle workers to those who wait, then starts as many as are wanted. */
  #dispatch(): void {
    for (const member of this.#members) {
      if (member.state !== "idle" || member.process.isOver) continue;
      const next = this.#next();
      if (next === undefined) break;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      clearTimeout(member.idleTimer);
      member.state = "busy";
      member.purpose = next.purpose;
      next.resolve(member);
    }
    this.#fill();
  }

  #next(): Waiter | undefined {
    const loads = this.#waiting.filter(({ purpose }) => purpose !== "interactive");
    const mayLoad = loads.length > 0 && this.#loading() < this.maxForLoads;
    const interactive = this.#waiting.filter(({ purpose }) => purpose === "interactive");
    const isTurnOfLoads = mayLoad && this.#givenSinceLoad >= LOAD_TURN - 1;
    const candidates = isTurnOfLoads ? loads : mayLoad ? this.#waiting : interactive;
    const next = candidates.reduce<Waiter | undefined>(
      (best, waiter) => (best === undefined || RANK[waiter.purpose] < RANK[best.purpose] ? waiter : best),
      undefined,
    );
    if (next !== undefined)
      this.#givenSinceLoad = mayLoad && next.purpose === "interactive" ? this.#givenSinceLoad + 1 : 0;
    return next;
  }

  #loading(): number {
    return [...this.#members].filter(({ state, purpose }) => state === "busy" && purpose !== "interactive").length;
  }

  #wanted(): number {
    const { min, max, initial } = this.#options;
    const busy = [...this.#members].filter(({ state }) => state === "busy").length;
    const interactive = this.#waiting.filter(({ purpose }) => purpose === "interactive").length;
    const loads = Math.min(this.#waiting.length - interactive, this.maxForLoads - this.#loading());
    const first = this.#first ? initial : 0;
    return Math.min(max, Math.max(min, first, busy + interactive + Math.max(0, loads)));
  }

  /** Before anybody asked for a worker. */
  #first = true;

  #fill(): void {
    if (this.#closed) return;
    const alive = [...this.#members].filter(({ state }) => state !== "ending").length + this.#preparing;
    const missing = this.#wanted() - alive;
    this.#first = false;
    for (let started = 0; started < missing; started++) {
      this.#preparing++;
      const starting = this.#start().finally(() => this.#starts.delete(starting));
      this.#starts.add(starting);
    }
  }

  async #start(): Promise<void> {
    const since = performance.now();
    let member: Member | undefined;
    try {
      member = await this.#spawn();
      await member.process.ready;
      const { pid } = member.process;
      this.#options.onEvent({ type: "started", pid, durationMs: performance.now() - since });
      this.#idle(member);
    } catch (thrown) {
      // Whoever waits longest hears of it: the next start may fail as well, for the next one.
      const error = DriverError.from(asStorageError(thrown));
      this.#waiting.shift()?.reject(error);
      if (member !== undefined) return;
      // No process whose end would look after those that still wait.
      this.#preparing--;
      if (this.#waiting.length > 0) this.#dispatch();
    }
  }

  async #spawn(): Promise<Member> {
    const { workDirectory, share, fileRoots, http, parsers, engineBytes, maxSpillBytes, threads, program } =
      this.#options;
    const folder = await makeOwnFolder(workDirectory, "worker-");
    const process = new WorkerProcess({
      program,
      setup: {
        share,
        fileRoots: fileRoots(),
        reserved: this.#options.reserved(),
        parsers,
        http: http?.() ?? NOTHING,
        temporaryDirectory: folder,
        engine: { memoryLimitBytes: engineBytes, threads, maxSpillBytes },
      },
      memoryBytes: this.#options.workerBytes,
      hangTimeoutMs: this.#options.hangTimeoutMs,
      ...(this.#options.stopTimeoutMs !== undefined && { stopTimeoutMs: this.#options.stopTimeoutMs }),
      onDetail: (detail) => this.#options.onEvent({ type: "detail", pid: process.pid, detail }),
    });
    const member: Member = { process, folder, state: "starting", gone: Promise.resolve() };
    this.#members.add(member);
    this.#preparing--;
    member.gone = process.ended.then((error) => this.#ended(member, error));
    return member;
  }

  async #ended(member: Member, error: DriverError): Promise<void> {
    clearTimeout(member.idleTimer);
    const { state } = member;
    member.state = "ending";
    if (state !== "ending") this.#options.onEvent({ type: "ended", pid: member.process.pid, error });
    await rm(member.folder, { recursive: true, force: true }).catch(() => undefined);
    this.#members.delete(member);
    // A program that can't start must not be started again and again for nobody.
    if (state !== "starting" || this.#waiting.length > 0) this.#dispatch();
  }

  #leased(member: Member): WorkerLease {
    let given = false;
    let discarded = false;
    return {
      pid: member.process.pid,
      get isOver() {
        return member.process.isOver;
      },
      get openStatements() {
        return member.process.openStatements;
      },
      call: (method, params, options) => member.process.call(method, params, options),
      discard: () => {
        discarded = true;
      },
      [Symbol.asyncDispose]: async () => {
        if (given) return;
        given = true;
        member.process.releaseStatements();
        // A worker that has grown is not worth what it keeps from others.
        const grown = member.process.memoryBytes > this.#options.workerBytes / 2;
        if (discarded || grown || member.process.isOver) await this.#remove(member);
        else this.#idle(member);
      },
    };
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
    const alive = [...this.#members].filter(({ state }) => state !== "ending").length;
    if (alive > this.#options.min) void this.#remove(member);
  }

  async #remove(member: Member): Promise<void> {
    clearTimeout(member.idleTimer);
    member.state = "ending";
    await member.process.close();
    await member.gone;
  }
}
