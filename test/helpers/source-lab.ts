import { join } from "node:path";
import { mergedSegments } from "../../src/loading/merged-segments.ts";
import { LoadSession } from "../../src/loading/worker/load-session.ts";
import type {
  Connector,
  PlanOptions,
  Source,
  SourceContext,
  SourcePlan,
  StatementEnding,
} from "../../src/sources/connector.ts";
import { LIMITS, type Loaded, LoadLab } from "./load-engine.ts";

export interface SourceLoadOptions {
  readonly signal?: AbortSignal;
  /** How many sessions share the load. Default 1. */
  readonly sessions?: number;
  readonly maxPartitions?: number;
  readonly preview?: boolean;
  readonly fileRoots?: readonly string[];
  readonly orderBy?: string;
  /** Told what ends each statement that begins. */
  readonly onStatement?: (ending: StatementEnding) => void;
  /** Called when all sessions have joined, before the first partition is read. */
  readonly onJoined?: (plan: SourcePlan) => Promise<void>;
}

export interface SourceLoaded extends Loaded {
  readonly plan: SourcePlan;
}

/** What workers do with a source that is no file: several sessions plan, join and read, and the engine writes segments. */
export class SourceLab implements AsyncDisposable {
  readonly lab: LoadLab;

  private constructor(lab: LoadLab) {
    this.lab = lab;
  }

  static async open(): Promise<SourceLab> {
    return new SourceLab(await LoadLab.open());
  }

  async context(options: SourceLoadOptions = {}): Promise<SourceContext> {
    return {
      signal: options.signal ?? new AbortController().signal,
      fileRoots: options.fileRoots,
      workDirectory: await this.lab.folder(),
      statement: async (ending) => {
        options.onStatement?.(ending);
        return { [Symbol.dispose]: () => undefined };
      },
    };
  }

  /** The plan alone, of a session that ends with it. */
  async plan(connector: Connector, source: Source, asked: Partial<PlanOptions> = {}): Promise<SourcePlan> {
    await using session = await connector.open(source, await this.context());
    return session.plan({ maxPartitions: 1, preview: false, ...asked });
  }

  /** The whole way from a source to values. */
  async load(connector: Connector, source: Source, options: SourceLoadOptions = {}): Promise<SourceLoaded> {
    await using stack = new AsyncDisposableStack();
    const directory = await this.lab.folder();
    const sessions: LoadSession[] = [];
    const warnings: string[] = [];
    for (let number = 0; number < (options.sessions ?? 1); number++) {
      const context = await this.context(options);
      const session = stack.use(await connector.open(source, context));
      sessions.push(
        new LoadSession({
          ...{ session, directory, limits: LIMITS, signal: context.signal, workDirectory: context.workDirectory },
          engine: async () => this.lab.engine,
          listener: {
            onProgress: () => undefined,
            onPhase: () => undefined,
            onWarning: (messages) => warnings.push(...messages),
          },
        }),
      );
    }
    const [first, ...others] = sessions;
    if (!first) throw new Error("a load needs a session");
    const plan = await first.plan(options.maxPartitions ?? sessions.length);
    warnings.push(...plan.warnings);
    const { shared } = plan;
    if (shared) await Promise.all(others.map((other) => other.join(plan.columns, shared)));
    await first.joined();
    await options.onJoined?.(plan);
    const readers = shared ? sessions : [first];
    const parts = await Promise.all(
      readers.map(async (reader, index) => {
        const written = [];
        for (const [number, partition] of plan.partitions.entries())
          if (number % readers.length === index) written.push(await reader.read(partition, number));
        return written;
      }),
    );
    const written = mergedSegments(parts.flat());
    const types = Object.fromEntries(written.columns.map(({ name, type }) => [name, type]));
    const values = written.rows > 20_000 ? [] : await this.lab.values(directory, written, options.orderBy);
    return { ...written, plan, warnings, restarts: 0, types, values, directory };
  }

  /** An aggregate over what was loaded. */
  query(loaded: Loaded, sql: (from: string) => string): Promise<readonly (readonly unknown[])[]> {
    const files = loaded.segments.map(({ file }) => `'${join(loaded.directory, file)}'`).join(", ");
    return this.lab.query(sql(`read_parquet([${files}])`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}
