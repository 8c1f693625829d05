import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { DriverError } from "../../errors/driver-error.ts";
import { errorFromJson, errorToJson } from "../../errors/error-json.ts";
import type { StatementEnding } from "../../sources/connector.ts";
import type {
  FromWorker,
  ParamsOf,
  ResultOf,
  ToWorker,
  WorkerEvent,
  WorkerMethod,
  WorkerSetup,
} from "../worker/protocol.ts";
import { HiddenSecrets } from "./hidden-secrets.ts";
import { OutputTail } from "./output-tail.ts";
import { workerCommand } from "./worker-command.ts";

/** How to start a worker and what it may take. */
export interface WorkerOptions {
  /** Node, its arguments and the worker's program. */
  readonly program: readonly string[];
  readonly setup: WorkerSetup;
  /** Private memory after which the driver ends the worker. */
  readonly memoryBytes: number;
  /** How long a busy worker may leave a ping without an answer before it counts as hung. */
  readonly hangTimeoutMs: number;
  /** How long a call may take to stop after its abort. Default: 5 s. */
  readonly stopTimeoutMs?: number;
  /** Where it keeps compiled code: whoever writes there gives code to all who read there. Default: with its driver. */
  readonly codeFolder?: string;
  /** For the log: what was unexpected in a call. */
  readonly onDetail: (detail: string) => void;
}

export interface CallOptions {
  /** Aborting it stops the call's work in the worker; a worker that does not stop in time is ended. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: WorkerEvent) => void;
  /** Gives a place among the connection's statements. */
  readonly onStatement?: (ending: StatementEnding, options: { readonly signal: AbortSignal }) => Promise<Disposable>;
}

/** A statement that runs at a server for a worker. */
interface OpenStatement {
  readonly ending: StatementEnding;
  permit?: Disposable;
  readonly controller: AbortController;
}

interface PendingCall extends CallOptions {
  readonly resolve: (value: never) => void;
  readonly reject: (error: DriverError) => void;
}

/** Something that the worker has started may hold its output open. */
const LAST_OUTPUT_TIMEOUT_MS = 500;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const MEMORY_INTERVAL_MS = 200;
const MAX_PING_INTERVAL_MS = 5_000;
/** How long a worker may take to end by itself once its channel is closed. */
const END_TIMEOUT_MS = 2_000;

/** One loader worker, from its start to its end. It must be told to end, or its driver must die. */
export class WorkerProcess {
  readonly #options: WorkerOptions;
  readonly #child: ChildProcess;
  readonly #output = new OutputTail();
  readonly #secrets = new HiddenSecrets();
  readonly #calls = new Map<number, PendingCall>();
  readonly #statements = new Map<number, OpenStatement>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<DriverError>();
  #lastCall = 0;
  #killed: DriverError | undefined;
  #over: DriverError | undefined;
  #watch: NodeJS.Timeout | undefined;
  #pings: NodeJS.Timeout | undefined;
  #looksSincePing: number | undefined;
  #memory = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const [file = "", ...args] = workerCommand(options.program, options.memoryBytes);
    const { temporaryDirectory } = options.setup;
    this.#child = spawn(file, args, {
      cwd: temporaryDirectory,
      env: workerEnvironment(temporaryDirectory, options.codeFolder),
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced",
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#output.add(chunk));
    this.#child.stderr?.on("data", (chunk: Buffer) => this.#output.add(chunk));
    this.#child.on("message", (message) => this.#hear(message as FromWorker));
    this.#child.once("error", (error) => this.#end(error.message));
    this.#child.once("exit", (code, signal) => void this.#exited(signal ?? `exit code ${code}`));
    // Whoever asks for it hears of it; a worker that nobody asked for yet may fail unheard.
    this.#ready.promise.catch(() => undefined);
    const timer = setTimeout(() => this.kill(startTimedOut()), START_TIMEOUT_MS);
    this.#ready.promise.finally(() => clearTimeout(timer)).catch(() => undefined);
    this.#send({ type: "setup", setup: options.setup });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Rejects with the reason for which the worker could not start. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Why it ended, once it has. */
  get ended(): Promise<DriverError> {
    return this.#ended.promise;
  }

  /** Whether it can take no more calls. */
  get isOver(): boolean {
    // What it has written last is waited for; it has gone before that.
    const { exitCode, signalCode } = this.#child;
    return this.#over !== undefined || this.#killed !== undefined || exitCode !== null || signalCode !== null;
  }

  /** Private memory when it was last looked at, in bytes. */
  get memoryBytes(): number {
    return this.#memory;
  }

  /** How its statements at servers, none of which has ended, would be ended: for after its death. */
  get openStatements(): readonly StatementEnding[] {
    return [...this.#statements.values()].map(({ ending }) => ending);
  }

  /** Gives back the places of statements that it has left. */
  releaseStatements(): void {
    for (const { permit } of this.#statements.values()) permit?.[Symbol.dispose]();
    this.#statements.clear();
  }

  /** Rejects with the call's error, or with WORKER_CRASHED and its like when the worker ends before. */
  call<M extends WorkerMethod>(method: M, params: ParamsOf<M>, options: CallOptions): Promise<ResultOf<M>> {
    const { signal } = options;
    if (signal.aborted) return Promise.reject(DriverError.from(signal.reason));
    if (this.#over ?? this.#killed) return Promise.reject(this.#over ?? this.#killed);
    const id = ++this.#lastCall;
    const { promise, resolve, reject } = Promise.withResolvers<ResultOf<M>>();
    this.#calls.set(id, { ...options, resolve, reject });
    if (this.#calls.size === 1) this.#startWatch();
    this.#secrets.note(params);
    this.#send({ type: "call", id, method, params });
    const { stopTimeoutMs = STOP_TIMEOUT_MS } = this.#options;
    let late: NodeJS.Timeout | undefined;
    const abort = () => {
      this.#send({ type: "abort", id, error: errorToJson(DriverError.from(signal.reason)) });
      late = setTimeout(() => this.kill(DriverError.from(signal.reason)), stopTimeoutMs);
    };
    signal.addEventListener("abort", abort, { once: true });
    return promise.finally(() => {
      clearTimeout(late);
      signal.removeEventListener("abort", abort);
      this.#calls.delete(id);
      if (this.#calls.size === 0) this.#stopWatch();
    });
  }

  /** Ends it at once; what it was doing fails with this error. */
  kill(reason: DriverError): void {
    if (this.isOver) return;
    this.#killed = reason;
    this.#child.kill("SIGKILL");
  }

  /** Lets it end by itself, then makes it. */
  async close(): Promise<void> {
    if (this.#over === undefined) {
      this.#killed ??= new DriverError("DRIVER_STOPPED", "the worker was ended");
      if (this.#child.connected) this.#child.disconnect();
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_TIMEOUT_MS);
      await this.#ended.promise;
      clearTimeout(timer);
    }
  }

  #send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, undefined, undefined, () => undefined);
  }

  /** Whatever code of a package may send must not end the driver. */
  #hear(message: FromWorker): void {
    try {
      this.#receive(message);
    } catch (error) {
      this.#options.onDetail(`the worker sent what can't be understood: ${error}`);
      this.kill(new DriverError("WORKER_CRASHED", "the worker sent what the driver does not understand"));
    }
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        this.#ready.resolve();
        return;
      case "result":
        this.#calls.get(message.id)?.resolve(message.value as never);
        return;
      case "failed":
        if (message.detail !== undefined) this.#options.onDetail(this.#secrets.hide(message.detail));
        this.#calls.get(message.id)?.reject(errorFromJson(this.#secrets.hideIn(message.error)));
        return;
      case "event":
        this.#calls.get(message.id)?.onEvent?.(message.event);
        return;
      case "statement":
        void this.#grant(message.statement, message.id, message.ending);
        return;
      case "statementEnded":
        this.#release(message.statement);
        return;
      case "pong":
        this.#looksSincePing = undefined;
        return;
      default:
        message satisfies never;
    }
  }

  async #grant(statement: number, id: number, ending: StatementEnding): Promise<void> {
    const call = this.#calls.get(id);
    const open: OpenStatement = { ending, controller: new AbortController() };
    this.#statements.set(statement, open);
    try {
      const signal = AbortSignal.any([open.controller.signal, ...(call ? [call.signal] : [])]);
      const permit = await call?.onStatement?.(ending, { signal });
      if (!this.#statements.has(statement)) return permit?.[Symbol.dispose]();
      if (permit) open.permit = permit;
      this.#send({ type: "granted", statement });
    } catch (thrown) {
      this.#statements.delete(statement);
      this.#send({ type: "refused", statement, error: errorToJson(DriverError.from(thrown)) });
    }
  }

  #release(statement: number): void {
    const open = this.#statements.get(statement);
    this.#statements.delete(statement);
    open?.controller.abort(new DriverError("CANCELLED", "the statement has ended"));
    open?.permit?.[Symbol.dispose]();
  }

  #startWatch(): void {
    this.#watch = setInterval(() => void this.#checkMemory(), MEMORY_INTERVAL_MS);
    const intervalMs = Math.min(MAX_PING_INTERVAL_MS, this.#options.hangTimeoutMs / 4);
    this.#pings = setInterval(() => this.#ping(intervalMs), intervalMs);
  }

  #stopWatch(): void {
    clearInterval(this.#watch);
    clearInterval(this.#pings);
    this.#looksSincePing = undefined;
  }

  async #checkMemory(): Promise<void> {
    const used = await privateMemory(this.#child.pid);
    if (used === undefined) return;
    this.#memory = used;
    const { memoryBytes } = this.#options;
    if (used > memoryBytes)
      this.kill(
        new DriverError(
          "WORKER_OUT_OF_MEMORY",
          `the worker took ${mb(used)} MB of memory; it may take ${mb(memoryBytes)}`,
          {
            metadata: { bytes: String(used), limit: String(memoryBytes) },
          },
        ),
      );
  }

  /** Looks are counted, not time: a driver that was held up itself takes its timers before the answers that have come meanwhile. */
  #ping(intervalMs: number): void {
    const { hangTimeoutMs } = this.#options;
    if (this.#looksSincePing === undefined) {
      this.#looksSincePing = 0;
      this.#send({ type: "ping" });
    } else if (++this.#looksSincePing * intervalMs >= hangTimeoutMs)
      this.kill(
        new DriverError("WORKER_HUNG", `the worker gave no sign of life for ${Math.round(hangTimeoutMs / 1000)} s`),
      );
  }

  /** Waits for what it has written last, which says why; Node's `close` event does not come after a disconnect. */
  async #exited(how: string): Promise<void> {
    const signal = AbortSignal.timeout(LAST_OUTPUT_TIMEOUT_MS);
    const streams = [this.#child.stdout, this.#child.stderr].filter((stream) => stream !== null);
    await Promise.allSettled(streams.map((stream) => finished(stream, { signal })));
    // A driver that was held up itself takes the timeout before what has come meanwhile.
    await setImmediate();
    this.#end(how);
  }

  #end(how: string): void {
    if (this.#over !== undefined) return;
    const error = this.#killed ?? crash(how, this.#secrets.hide(this.#output.text));
    this.#over = error;
    this.#stopWatch();
    this.#ready.reject(error);
    for (const call of this.#calls.values()) call.reject(error);
    // Their places stay taken until whoever leased the worker has ended them at the server.
    for (const { controller } of this.#statements.values()) controller.abort(error);
    this.#ended.resolve(error);
  }
}

/** Whether a call failed because its worker ended, and not for a reason of its own. */
export function isWorkerFailure({ reason }: DriverError): boolean {
  return reason === "WORKER_CRASHED" || reason === "WORKER_HUNG" || reason === "WORKER_OUT_OF_MEMORY";
}

/** Whether a call failed in a way that no connector foresees. */
export function isFault({ reason }: DriverError): boolean {
  return reason === "INTERNAL" || reason === "CONNECTOR_FAILED";
}

const OUT_OF_MEMORY = /heap out of memory|bad_alloc|Cannot allocate memory|allocation failed/i;

function crash(how: string, output: string): DriverError {
  const metadata = { end: how, output };
  if (OUT_OF_MEMORY.test(output))
    return new DriverError("WORKER_OUT_OF_MEMORY", `the worker ran out of memory (${how})`, { metadata });
  const said = output === "" ? "" : `; it said last: ${lastLine(output)}`;
  return new DriverError("WORKER_CRASHED", `the worker ended unexpectedly (${how})${said}`, { metadata });
}

const MAX_LINE = 300;

/** The error that Node shows, at whose end are a stack and its version; else the last line of all. */
function lastLine(output: string): string {
  const lines = output.trimEnd().split("\n");
  const isNodes = /^Node\.js v\d/.test(lines.at(-1) ?? "");
  const error = isNodes
    ? lines.findLast((line) => /^(?:Uncaught )?[\w.]*(?:Error|Exception|Rejection)\b.*: /.test(line))
    : undefined;
  return (error ?? lines.at(-1) ?? "").slice(0, MAX_LINE);
}

function startTimedOut(): DriverError {
  return new DriverError("WORKER_HUNG", `the worker did not start within ${START_TIMEOUT_MS / 1000} s`);
}

/** Nothing of the driver's environment but what a program needs to run: no token, no secret. */
function workerEnvironment(
  temporaryDirectory: string,
  NODE_COMPILE_CACHE = process.env.NODE_COMPILE_CACHE,
): NodeJS.ProcessEnv {
  const { PATH, LANG, LC_ALL } = process.env;
  return {
    ...(PATH !== undefined && { PATH }),
    ...(LANG !== undefined && { LANG }),
    ...(LC_ALL !== undefined && { LC_ALL }),
    ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }),
    HOME: temporaryDirectory,
    TMPDIR: temporaryDirectory,
  };
}

/** Memory of its own, in bytes; undefined where it can't be told. Pages of programs and files are not counted. */
async function privateMemory(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => undefined);
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(status ?? "")?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

function mb(bytes: number): number {
  return Math.round(bytes / 1e6);
}
