import { DriverError } from "../../errors/driver-error.ts";
import type { ColumnBatch, Connector, PartitionContent, SourceSession } from "../connector.ts";
import { type PackagedKind, PackageGuard } from "./failure.ts";

/**
 * A connector of the driver with a client library that an administrator has chosen: what fails unforeseen is told in the library's name, since
 * another version of it may have another interface.
 */
export async function guardedConnector(load: () => Promise<Connector>, whose: PackagedKind): Promise<Connector> {
  // It loads its library with it.
  const connector = await new PackageGuard(whose, new AbortController().signal).run(load);
  return {
    ...connector,
    async open(source, context) {
      const guard = new PackageGuard(whose, context.signal);
      return guarded(await guard.run(() => told(() => connector.open(source, context))), guard);
    },
    ...(connector.endStatement && {
      endStatement: (source, ending, options) =>
        new PackageGuard(whose, options.signal).run(() => connector.endStatement?.(source, ending, options)),
    }),
  };
}

function guarded(session: SourceSession, guard: PackageGuard): SourceSession {
  const { listTables } = session;
  const run = <T>(work: () => T | Promise<T>) => guard.run(() => told(work));
  return {
    test: () => run(() => session.test()),
    ...(listTables && { listTables: () => guard.each(() => listTables.call(session), same) }),
    plan: (options) => run(() => session.plan(options)),
    join: (shared) => run(() => session.join?.(shared)),
    joined: () => run(() => session.joined?.()),
    read: (partition) => run(async () => contentOf(await session.read(partition), guard)),
    requireUnchanged: () => run(() => session.requireUnchanged?.()),
    [Symbol.asyncDispose]: () => run(async () => session[Symbol.asyncDispose]()),
  };
}

/** The driver's own code calls unexpected what it knows no reason for. */
async function told<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof DriverError && error.reason === "INTERNAL" ? (error.cause ?? error) : error;
  }
}

function contentOf(content: PartitionContent, guard: PackageGuard): PartitionContent {
  switch (content.form) {
    case "files":
      return content;
    case "text":
      return { form: "text", chunks: guard.each(() => content.chunks, same<Uint8Array>) };
    case "batches":
      return { form: "batches", batches: guard.each(() => content.batches, same<ColumnBatch>) };
  }
}

function same<T>(item: T): T {
  return item;
}
