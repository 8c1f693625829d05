import type * as api from "@drover/connector";
import type { Connector, Source, SourceContext, SourceSession } from "../connector.ts";
import { encodeBatch } from "../exchange/encode-batch.ts";
import { httpOptions } from "../http/options.ts";
import { boundedText, boundedTexts, countOf } from "./bounds.ts";
import { type PackagedKind, PackageGuard } from "./failure.ts";
import { PackagedFiles } from "./files.ts";
import { checkedPlan } from "./plan.ts";

/**
 * A package's connector as the built-in ones are. What it says it can't mean otherwise is checked, and what it throws
 * unforeseen names the package.
 */
export function packagedConnector(connector: api.Connector, whose: PackagedKind): Connector {
  return {
    kind: whose.kind,
    ...(connector.filters && { filters: true }),
    async open(source, context) {
      const guard = new PackageGuard(whose, context.signal);
      const files = new PackagedFiles(source, context);
      const session = await guard.run(async () =>
        requireSession(await connector.open(publicSource(source), publicContext(context, files))),
      );
      return guarded(session, guard, files);
    },
    ...(connector.endStatement && {
      async endStatement(source, ending, options) {
        const guard = new PackageGuard(whose, options.signal);
        await guard.run(() => connector.endStatement?.(publicSource(source), ending, options));
      },
    }),
  };
}

/** Without what is the worker's business: where files lie, and how they are fetched. */
function publicSource({ kind, uri, options, filter, limit, server }: Source): api.Source {
  const own = Object.entries(options).filter(([name]) => server !== undefined || !isOfFetching(name));
  return {
    ...{ kind, uri, options: Object.fromEntries(own) },
    ...(filter !== undefined && { filter }),
    ...(limit !== undefined && { limit }),
    ...(server !== undefined && { server }),
  };
}

function isOfFetching(name: string): boolean {
  return Object.hasOwn(httpOptions, name.split(".", 1)[0] ?? "");
}

function publicContext(context: SourceContext, files: PackagedFiles): api.SourceContext {
  const { signal, beginningBytes, workDirectory } = context;
  return {
    ...{ signal, workDirectory },
    ...(beginningBytes !== undefined && { beginningBytes }),
    files: () => files.list(),
    statement: (ending) => context.statement(ending),
    onProgress: seldom((progress) => context.onProgress?.(progressOf(progress))),
    onPhase: few((phase) => context.onPhase?.(boundedText(phase))),
  };
}

const MIN_PROGRESS_INTERVAL_MS = 50;

/** Whoever tells of every row would keep the driver busy. */
function seldom(tell: (progress: api.SourceProgress) => void): (progress: api.SourceProgress) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const now = performance.now();
    if (now - last < MIN_PROGRESS_INTERVAL_MS) return;
    last = now;
    tell(progress);
  };
}

const MAX_PHASES = 1_000;

function few(tell: (phase: string) => void): (phase: string) => void {
  let told = 0;
  return (phase) => {
    if (++told <= MAX_PHASES) tell(phase);
  };
}

function progressOf({ fraction, rows, bytes }: api.SourceProgress): api.SourceProgress {
  const known = typeof fraction === "number" && fraction >= 0 && fraction <= 1;
  return { fraction: known ? fraction : undefined, rows: countOf(rows) ?? 0, bytes: countOf(bytes) ?? 0 };
}

function requireSession(session: unknown): api.SourceSession {
  if (typeof session === "object" && session !== null) return session as api.SourceSession;
  throw new TypeError("its open() gave no session");
}

function guarded(session: api.SourceSession, guard: PackageGuard, files: PackagedFiles): SourceSession {
  return {
    test: () =>
      guard.run(async () => {
        const { description, warnings = [] } = await session.test();
        return { description: boundedText(description), warnings: boundedTexts(warnings) };
      }),
    ...(session.listTables && {
      listTables: () => guard.each(() => session.listTables?.() ?? none<api.SourceTable>(), tableOf),
    }),
    plan: (options) =>
      guard.run(async () => {
        const plan = checkedPlan(await session.plan(options));
        // Another session may read them, which has not planned.
        const width = plan.columns?.length;
        return { ...plan, partitions: plan.partitions.map((partition) => ({ partition, width })) };
      }),
    join: (shared) => guard.run(() => session.join?.(shared)),
    joined: () => guard.run(() => session.joined?.()),
    read: ({ partition, width }) =>
      guard.run(async () => {
        const content = await session.read(partition as api.Partition);
        if (content.form !== "files" && width === undefined)
          throw new TypeError("it reads rows, and its plan names no columns");
        switch (content.form) {
          case "files":
            return { form: "files", scan: await files.scan(content.scan) };
          case "text":
            return { form: "text", chunks: guard.each(() => content.chunks, bytesOf) };
          case "batches":
            return {
              form: "text",
              chunks: guard.each(
                () => content.batches,
                (batch) => textOf(batch, Number(width)),
              ),
            };
          default:
            throw new TypeError(
              `it read something of the form ${JSON.stringify((content as { form?: unknown }).form)}`,
            );
        }
      }),
    requireUnchanged: async () => {
      await guard.run(() => session.requireUnchanged?.());
      await files.requireUnchanged();
    },
    [Symbol.asyncDispose]: () => guard.run(async () => session[Symbol.asyncDispose]()),
  };
}

function tableOf({ schema, name, type, rows, comment }: api.SourceTable): api.SourceTable {
  const count = rows === undefined ? undefined : countOf(rows);
  return {
    ...{ schema: boundedText(schema), name: boundedText(name), type: type === "view" ? "view" : "table" },
    ...(count !== undefined && { rows: count }),
    ...(comment !== undefined && { comment: boundedText(comment) }),
  };
}

async function* none<T>(): AsyncGenerator<T> {}

function bytesOf(chunk: Uint8Array): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError("a chunk of its text is no Uint8Array");
}

function textOf(batch: api.ColumnBatch, width: number): Uint8Array {
  const { rows, columns } = batch;
  if (!Number.isSafeInteger(rows) || rows < 0) throw new TypeError("a batch does not say its number of rows");
  if (columns.length !== width) throw new TypeError(`a batch has ${columns.length} columns; its plan has ${width}`);
  const short = columns.find((values) => values.length !== rows);
  if (short !== undefined) throw new TypeError(`a column of a batch has ${short.length} values for ${rows} rows`);
  return encodeBatch(batch);
}
