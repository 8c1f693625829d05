import { join } from "node:path";
import { mergedSegments } from "../../src/loading/merged-segments.ts";
import { LoadSession } from "../../src/loading/worker/load-session.ts";
import { WantedRows } from "../../src/loading/worker/wanted-rows.ts";
import type { Source, SourceContext, SourcePlan, SourceSession, StatementEnding } from "../../src/sources/connector.ts";
import { loadConnector } from "../../src/sources/connectors.ts";
import { LIMITS, type LoadLab } from "./load-engine.ts";

/** What a load through a connector gave, whatever its kind. */
export interface SourceLoad {
  readonly plan: SourcePlan;
  readonly types: Readonly<Record<string, string>>;
  readonly rows: number;
  readonly warnings: readonly string[];
  readonly values: readonly (readonly unknown[])[];
  /** SQL of all that was written, for `LoadLab.query`. */
  readonly from: string;
  /** Rows of each partition. */
  readonly partRows: readonly number[];
}

export interface SourceLoadOptions {
  readonly maxPartitions?: number;
  /** Told what ends each statement that begins. */
  readonly onStatement?: (ending: StatementEnding) => void;
  readonly signal?: AbortSignal;
  readonly orderBy?: string;
  readonly parsers?: SourceContext["parsers"];
  /** Runs when all sessions have joined, before anything is read. */
  readonly beforeReading?: () => Promise<void>;
}

/** A context as a worker has it, in a folder of the lab. */
export async function labContext(
  lab: LoadLab,
  { signal, onStatement, parsers }: Pick<SourceLoadOptions, "signal" | "onStatement" | "parsers"> = {},
): Promise<SourceContext> {
  return {
    signal: signal ?? new AbortController().signal,
    fileRoots: undefined,
    workDirectory: await lab.folder(),
    statement: async (ending) => {
      onStatement?.(ending);
      return { [Symbol.dispose]: () => undefined };
    },
    ...(parsers && { parsers }),
  };
}

export async function openSource(source: Source, context: SourceContext): Promise<SourceSession> {
  return (await loadConnector(source.kind)).open(source, context);
}

/** Loads a source the way workers do: one session plans, others join, each reads partitions. */
export async function loadSource(lab: LoadLab, source: Source, options: SourceLoadOptions = {}): Promise<SourceLoad> {
  const { maxPartitions = 1, signal = new AbortController().signal, onStatement, parsers } = options;
  const directory = await lab.folder();
  await using sessions = new AsyncDisposableStack();
  const connector = await loadConnector(source.kind);
  const open = async () => {
    const context = await labContext(lab, {
      signal,
      ...(onStatement && { onStatement }),
      ...(parsers && { parsers }),
    });
    const session = sessions.use(await connector.open(source, context));
    const listener = { onProgress: () => undefined, onPhase: () => undefined, onWarning: () => undefined };
    const engine = async () => lab.engine;
    return new LoadSession({
      ...{
        session,
        engine,
        rows: new WantedRows(source, connector),
        signal,
        directory,
        listener,
        limits: LIMITS,
        workDirectory: context.workDirectory,
      },
    });
  };
  const first = await open();
  const plan = await first.plan(maxPartitions);
  const readers = [first];
  if (plan.shared !== undefined)
    for (let more = 1; more < Math.min(maxPartitions, plan.partitions.length); more++) {
      const joining = await open();
      await joining.join(plan.columns, plan.shared);
      readers.push(joining);
    }
  await first.joined();
  await options.beforeReading?.();
  const written = await Promise.all(
    readers.map(async (reader, at) => {
      const own = [];
      for (const [number, partition] of plan.partitions.entries())
        if (number % readers.length === at) own.push(await reader.read(partition, number));
      return own;
    }),
  );
  const parts = written.flat();
  const all = mergedSegments(parts);
  return {
    plan,
    rows: all.rows,
    types: Object.fromEntries(all.columns.map(({ name, type }) => [name, type])),
    warnings: plan.warnings,
    from: `read_parquet([${all.segments.map(({ file }) => `'${join(directory, file)}'`).join(", ")}])`,
    values: all.rows > 20_000 ? [] : await lab.values(directory, all, options.orderBy),
    partRows: parts.map(({ rows }) => rows),
  };
}
