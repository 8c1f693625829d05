import type { ResolvedSource } from "../definitions/model.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { StatementLimits } from "../scheduling/statement-limits.ts";
import type { Source, SourceTable, SourceTest } from "../sources/connector.ts";
import { permitsFor } from "./statement-permits.ts";
import type { SourcePreview } from "./worker/protocol.ts";
import { endStatements } from "./workers/end-statements.ts";
import type { WorkerLease, WorkerPool } from "./workers/model.ts";
import type { CallOptions } from "./workers/worker-process.ts";

/** Looks at sources without loading anything, in a worker. */
export interface SourceProbe {
  /** Throws what a load of the source would, as far as it shows before the first row. */
  test(source: ResolvedSource, options: ProbeOptions): Promise<SourceTest>;
  /** The first rows with their types. Throws what a load of the source would, as far as it shows in them. */
  preview(source: ResolvedSource, options: PreviewOptions): Promise<SourcePreview>;
  /** Tables and views of the source's server whose `schema.name` holds a text, some at a time. Throws INVALID_SOURCE where there are none. */
  listTables(source: ResolvedSource, options: ListTablesOptions): AsyncIterable<readonly SourceTable[]>;
}

export type { SourcePreview } from "./worker/protocol.ts";

export interface ProbeOptions {
  readonly signal: AbortSignal;
  /** Whose turn it is where statements wait. */
  readonly caller: string;
}

export interface PreviewOptions extends ProbeOptions {
  readonly rows: number;
}

export interface ListTablesOptions extends ProbeOptions {
  /** Whatever the case; empty for all. */
  readonly contains: string;
}

export interface SourceProbeParts {
  readonly workers: WorkerPool;
  readonly statements: StatementLimits;
}

/** Workers don't wait for whoever reads the tables. */
const MAX_UNREAD_TABLES = 100_000;

export function createSourceProbe(parts: SourceProbeParts): SourceProbe {
  return {
    test: (source, options) =>
      withWorker(parts, source, options, (lease, opened, call) => lease.call("testSource", { source: opened }, call)),
    preview: (source, { rows, ...options }) =>
      withWorker(parts, source, options, (lease, opened, call) =>
        lease.call("previewSource", { source: opened, rows }, call),
      ),
    listTables: (source, options) => listTables(parts, source, options),
  };
}

async function* listTables(
  parts: SourceProbeParts,
  source: ResolvedSource,
  { signal, caller, contains }: ListTablesOptions,
): AsyncGenerator<readonly SourceTable[], void, undefined> {
  const left = new AbortController();
  const unread = new UnreadTables(contains, (error) => left.abort(error));
  const listing = withWorker(
    parts,
    source,
    { caller, signal: AbortSignal.any([signal, left.signal]) },
    (lease, opened, call) =>
      lease.call(
        "listTables",
        { source: opened },
        {
          ...call,
          onEvent: (event) => {
            if (event.type === "tables") unread.add(event.tables);
          },
        },
      ),
  );
  const ended = listing.then(
    () => unread.end(undefined),
    (error: unknown) => unread.end(error),
  );
  try {
    yield* unread.read();
  } finally {
    left.abort(new DriverError("CANCELLED", "the list of tables was left"));
    await ended;
  }
}

/** Tables that a worker has told and nobody has read yet. */
class UnreadTables {
  readonly #wanted: string;
  readonly #overflow: (error: DriverError) => void;
  #tables: (readonly SourceTable[])[] = [];
  #count = 0;
  #end: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(contains: string, overflow: (error: DriverError) => void) {
    this.#wanted = contains.toLowerCase();
    this.#overflow = overflow;
  }

  add(told: readonly SourceTable[]): void {
    const tables = told.filter(({ schema, name }) => `${schema}.${name}`.toLowerCase().includes(this.#wanted));
    if (tables.length === 0) return;
    this.#tables.push(tables);
    this.#count += tables.length;
    if (this.#count > MAX_UNREAD_TABLES)
      this.#overflow(
        new DriverError("RESULT_TOO_LARGE", `more than ${MAX_UNREAD_TABLES} tables wait for their reader`, {
          metadata: { limit: String(MAX_UNREAD_TABLES) },
        }),
      );
    this.#wake?.();
  }

  end(error: unknown): void {
    this.#end = { error };
    this.#wake?.();
  }

  async *read(): AsyncGenerator<readonly SourceTable[], void, undefined> {
    for (;;) {
      for (const tables of this.#take()) yield tables;
      if (this.#tables.length > 0) continue;
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#end !== undefined) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  #take(): (readonly SourceTable[])[] {
    const tables = this.#tables;
    this.#tables = [];
    this.#count = 0;
    return tables;
  }
}

/** Gives `work` a worker, with the secret as it is now. */
async function withWorker<T>(
  { workers, statements }: SourceProbeParts,
  source: ResolvedSource,
  { signal, caller }: ProbeOptions,
  work: (lease: WorkerLease, opened: Source, call: CallOptions) => Promise<T>,
): Promise<T> {
  await source.arrived?.({ signal });
  await using lease = await workers.lease("interactive", { signal, set: source.set });
  const opened = await source.open({ signal });
  const onStatement = permitsFor(statements, source, caller);
  try {
    return await work(lease, opened, { signal, onStatement });
  } finally {
    // How it ended is what counts.
    if (lease.isOver)
      await endStatements(workers, { source: opened, set: source.set }, lease.openStatements).catch(() => undefined);
  }
}
