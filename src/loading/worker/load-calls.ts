import { mkdir, rm } from "node:fs/promises";
import { folderMode } from "../../config/file-modes.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { SourceSession } from "../../sources/connector.ts";
import { type CallContext, type CallHandlers, sourceContext } from "./call-context.ts";
import { LoadSession } from "./load-session.ts";
import type { ParamsOf } from "./protocol.ts";
import { WantedRows } from "./wanted-rows.ts";

type LoadCall =
  | "openLoad"
  | "planLoad"
  | "joinLoad"
  | "joinedLoad"
  | "readPartition"
  | "requireUnchanged"
  | "packagesInUse"
  | "closeLoad";

/** The calls of a load. A worker has one load session at a time. */
export function loadCalls(): CallHandlers<LoadCall> {
  let open: OpenLoad | undefined;
  const during = async <T>(context: CallContext, work: (load: LoadSession) => Promise<T>): Promise<T> => {
    if (open === undefined) throw new DriverError("INTERNAL", "the worker has no load open");
    return open.during(context, work);
  };
  const nothing = (work: (load: LoadSession) => Promise<void>) => async (load: LoadSession) => {
    await work(load);
    return undefined;
  };
  return {
    openLoad: async (params, context) => {
      if (open !== undefined) throw new DriverError("INTERNAL", "the worker has a load open already");
      open = await OpenLoad.open(params, context);
      return undefined;
    },
    planLoad: ({ maxPartitions }, context) => during(context, (load) => load.plan(maxPartitions)),
    joinLoad: ({ columns, shared }, context) =>
      during(
        context,
        nothing((load) => load.join(columns, shared)),
      ),
    joinedLoad: (_, context) =>
      during(
        context,
        nothing((load) => load.joined()),
      ),
    readPartition: ({ partition, number, threads }, context) =>
      during(context, async (load) => {
        await context.engine(threads);
        return load.read(partition, number);
      }),
    requireUnchanged: (_, context) =>
      during(
        context,
        nothing((load) => load.requireUnchanged()),
      ),
    packagesInUse: async (_, { libraries }) => libraries.packagesInUse(),
    closeLoad: async () => {
      const closing = open;
      open = undefined;
      await closing?.[Symbol.asyncDispose]();
      return undefined;
    },
  };
}

/** A load's session across calls, each of which has a signal and a listener of its own. */
class OpenLoad implements AsyncDisposable {
  readonly #workDirectory: string;
  readonly #stop = new AbortController();
  #context: CallContext;
  #session: SourceSession | undefined;
  #load: LoadSession | undefined;
  #failure: unknown;

  private constructor(workDirectory: string, context: CallContext) {
    this.#workDirectory = workDirectory;
    this.#context = context;
  }

  static async open(params: ParamsOf<"openLoad">, context: CallContext): Promise<OpenLoad> {
    const { source, directory, workDirectory, limits } = params;
    const opened = new OpenLoad(workDirectory, context);
    try {
      await mkdir(workDirectory, { mode: folderMode() });
      const connector = await context.libraries.connector(source.kind);
      await opened.during(context, async () => {
        const { signal } = opened.#stop;
        const current = () => opened.#context;
        opened.#session = await connector.open(source, {
          ...sourceContext(context, workDirectory),
          signal,
          statement: (ending) => current().statement(ending),
          onProgress: (progress) => current().emit({ type: "progress", progress }),
          onPhase: (phase) => current().emit({ type: "phase", phase }),
        });
        opened.#load = new LoadSession({
          session: opened.#session,
          rows: new WantedRows(source, connector),
          engine: () => current().engine(),
          signal,
          ...{ directory, workDirectory, limits },
          listener: {
            onProgress: (progress) => current().emit({ type: "progress", progress }),
            onPhase: (phase) => current().emit({ type: "phase", phase }),
            onWarning: (messages) => current().emit({ type: "warning", messages }),
          },
        });
      });
      return opened;
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a step of the load. A step that is aborted ends the whole session: what it was about to do is in doubt. */
  async during<T>(context: CallContext, work: (load: LoadSession) => Promise<T>): Promise<T> {
    this.#context = context;
    const abort = () => this.#stop.abort(context.signal.reason);
    if (context.signal.aborted) abort();
    context.signal.addEventListener("abort", abort, { once: true });
    try {
      this.#stop.signal.throwIfAborted();
      // Only the step that opens the session has none, and does not look at it.
      return await work(this.#load as LoadSession);
    } catch (error) {
      this.#failure ??= error;
      throw error;
    } finally {
      context.signal.removeEventListener("abort", abort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What a failed step has left may still run at the server.
    if (this.#failure !== undefined) this.#stop.abort(this.#failure);
    try {
      await this.#session?.[Symbol.asyncDispose]();
    } finally {
      await rm(this.#workDirectory, { recursive: true, force: true });
    }
  }
}
