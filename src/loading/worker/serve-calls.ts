import { join } from "node:path";
import { applySharing } from "../../config/file-modes.ts";
import { asStorageError } from "../../datasets/files.ts";
import type { LoadEngine, LoadEngineOptions } from "../../engine/engine.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { errorFromJson, errorToJson } from "../../errors/error-json.ts";
import { isOutOfMemory } from "../../errors/out-of-memory.ts";
import type { StatementEnding } from "../../sources/connector.ts";
import type { CallContext, CallHandler } from "./call-context.ts";
import { createCalls } from "./calls.ts";
import type { FromWorker, ToWorker, WorkerMethod, WorkerSetup } from "./protocol.ts";
import { builtInLibraries, enterLibrarySet, type Libraries } from "./set/library-set.ts";

/** What a worker's program provides. */
export interface CallServerParts {
  /** Sends a message to the driver. */
  readonly send: (message: FromWorker) => void;
  readonly openEngine: (options: LoadEngineOptions) => Promise<LoadEngine>;
}

interface WaitingStatement {
  grant(): void;
  refuse(error: DriverError): void;
}

/** Answers a driver's calls until the channel closes. */
export class CallServer {
  readonly #parts: CallServerParts;
  readonly #calls = createCalls();
  readonly #running = new Map<number, AbortController>();
  readonly #settling = new Set<Promise<void>>();
  readonly #statements = new Map<number, WaitingStatement>();
  #setup: WorkerSetup | undefined;
  #libraries: Libraries = builtInLibraries;
  #engine: Promise<LoadEngine> | undefined;
  #threads = 0;
  #lastStatement = 0;

  constructor(parts: CallServerParts) {
    this.#parts = parts;
  }

  receive(message: ToWorker): void {
    switch (message.type) {
      case "setup":
        applySharing(message.setup.share);
        this.#setup = message.setup;
        if (message.setup.set !== undefined) this.#libraries = enterLibrarySet(message.setup.set);
        this.#parts.send({ type: "ready" });
        return;
      case "call":
        this.#begin(message.id, message.method, message.params);
        return;
      case "abort":
        this.#running.get(message.id)?.abort(errorFromJson(message.error));
        return;
      case "granted":
        this.#statements.get(message.statement)?.grant();
        return;
      case "refused":
        this.#statements.get(message.statement)?.refuse(errorFromJson(message.error));
        return;
      case "ping":
        this.#parts.send({ type: "pong" });
        return;
      default:
        message satisfies never;
    }
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Ends all that runs, statements at servers included. */
  async stop(): Promise<void> {
    const stopped = new DriverError("DRIVER_STOPPED", "the driver has ended");
    for (const controller of this.#running.values()) controller.abort(stopped);
    await Promise.all(this.#settling);
  }

  #begin(id: number, method: WorkerMethod, params: unknown): void {
    const settling = this.#run(id, method, params).finally(() => this.#settling.delete(settling));
    this.#settling.add(settling);
  }

  async #run(id: number, method: WorkerMethod, params: unknown): Promise<void> {
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      // The channel's two ends are of one build, so the parameters are those of the method.
      const handler = this.#calls[method] as CallHandler<WorkerMethod>;
      const value = await handler(params as never, this.#context(id, controller.signal));
      this.#parts.send({ type: "result", id, value });
    } catch (thrown) {
      // What stopped the work is what went wrong, whatever it made of its end.
      const error = DriverError.from(controller.signal.aborted ? controller.signal.reason : ofTheMachine(thrown));
      const isUnexpected = error.reason === "INTERNAL" || error.reason === "CONNECTOR_FAILED";
      const detail = isUnexpected ? { detail: stackOf(thrown) } : {};
      this.#parts.send({ type: "failed", id, error: errorToJson(error), ...detail });
    } finally {
      this.#running.delete(id);
    }
  }

  #context(id: number, signal: AbortSignal): CallContext {
    const setup = this.#setup;
    if (setup === undefined) throw new DriverError("INTERNAL", "the worker was not set up");
    return {
      signal,
      fileRoots: setup.fileRoots,
      reserved: setup.reserved,
      parsers: { ...setup.parsers, packages: this.#libraries.parserModules },
      http: setup.http,
      libraries: this.#libraries,
      temporaryDirectory: setup.temporaryDirectory,
      emit: (event) => this.#parts.send({ type: "event", id, event }),
      statement: (ending) => this.#statement(id, ending, signal),
      engine: (threads) => this.#openEngine(setup, threads),
    };
  }

  async #statement(id: number, ending: StatementEnding, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const statement = ++this.#lastStatement;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#statements.set(statement, { grant: resolve, refuse: reject });
    this.#parts.send({ type: "statement", statement, id, ending });
    const end = () => this.#parts.send({ type: "statementEnded", statement });
    try {
      await promise;
    } catch (error) {
      end();
      throw error;
    } finally {
      this.#statements.delete(statement);
      signal.removeEventListener("abort", abort);
    }
    let ended = false;
    return {
      [Symbol.dispose]: () => {
        if (!ended) end();
        ended = true;
      },
    };
  }

  async #openEngine({ temporaryDirectory, engine }: WorkerSetup, threads: number | undefined): Promise<LoadEngine> {
    this.#engine ??= this.#parts.openEngine({ ...engine, spillDirectory: join(temporaryDirectory, "spill") });
    const opened = await this.#engine;
    const wanted = threads ?? (this.#threads || engine.threads);
    if (wanted !== this.#threads) await opened.setThreads(wanted);
    this.#threads = wanted;
    return opened;
  }
}

/** Errors of the file system and of memory are known here only: the driver gets their reason. */
function ofTheMachine(thrown: unknown): unknown {
  // Whoever watches the worker's memory says the same, if it looks in time.
  if (isOutOfMemory(thrown)) return new DriverError("WORKER_OUT_OF_MEMORY", "the worker ran out of memory");
  const error = asStorageError(thrown);
  return error instanceof DriverError && error.reason === "DISK_FULL" ? error : thrown;
}

const MAX_DETAIL = 20_000;
const MAX_CAUSES = 8;

/** Of anything at all: code of packages may throw errors that are their own causes, or that fail when they are looked at. */
function stackOf(thrown: unknown, causes = 0): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown).slice(0, MAX_DETAIL);
    const { cause } = thrown;
    const own = String(thrown.stack ?? thrown.message).slice(0, MAX_DETAIL);
    return cause === undefined || causes === MAX_CAUSES ? own : `${own}\ncaused by: ${stackOf(cause, causes + 1)}`;
  } catch {
    return "something that can't be shown";
  }
}
