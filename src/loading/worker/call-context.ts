import type { LoadEngine } from "../../engine/engine.ts";
import type { HttpAccess, SourceContext, StatementEnding } from "../../sources/connector.ts";
import type { ParserSettings } from "../../sources/parsers/settings.ts";
import type { ParamsOf, ResultOf, WorkerEvent, WorkerMethod } from "./protocol.ts";
import type { Libraries } from "./set/library-set.ts";

/** What a call may use. */
export interface CallContext {
  readonly signal: AbortSignal;
  readonly fileRoots: readonly string[] | undefined;
  readonly reserved: readonly string[];
  readonly parsers: ParserSettings;
  readonly http: HttpAccess;
  readonly libraries: Libraries;
  /** The worker's own folder. */
  readonly temporaryDirectory: string;
  emit(event: WorkerEvent): void;
  statement(ending: StatementEnding): Promise<Disposable>;
  /** The loading engine, opened when it is first needed, with so many threads from now on. */
  engine(threads?: number): Promise<LoadEngine>;
}

/** A call's work in the worker. */
export type CallHandler<M extends WorkerMethod> = (params: ParamsOf<M>, context: CallContext) => Promise<ResultOf<M>>;

export type CallHandlers<M extends WorkerMethod = WorkerMethod> = { readonly [K in M]: CallHandler<K> };

/** A connector's context out of a call's. */
export function sourceContext(context: CallContext, workDirectory: string): SourceContext {
  const { signal, fileRoots, reserved, http, parsers, statement } = context;
  return { signal, fileRoots, reserved, http, parsers, workDirectory, statement };
}
