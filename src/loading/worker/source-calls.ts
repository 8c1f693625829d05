import { rm } from "node:fs/promises";
import { makeOwnFolder } from "../../config/own-folder.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Source, SourceSession, SourceTable } from "../../sources/connector.ts";
import { type CallContext, type CallHandlers, sourceContext } from "./call-context.ts";
import { previewSource } from "./preview-source.ts";

const TABLES_AT_ONCE = 500;

type SourceCall =
  | "testSource"
  | "previewSource"
  | "listTables"
  | "endStatement"
  | "describeConnectors"
  | "loadConnector";

/** Calls about sources that load nothing. */
export const sourceCalls: CallHandlers<SourceCall> = {
  testSource: ({ source }, context) => withSession(source, context, (session) => session.test()),
  previewSource,
  describeConnectors: (_, { libraries }) => libraries.describe(),
  loadConnector: async ({ kind }, { libraries }) => {
    await libraries.connector(kind);
    return libraries.packagesInUse();
  },
  listTables: ({ source }, context) =>
    withSession(source, context, async (session) => {
      if (session.listTables === undefined)
        throw new DriverError("INVALID_SOURCE", `a source of kind ${source.kind} has no tables`);
      let tables: SourceTable[] = [];
      for await (const table of session.listTables()) {
        tables.push(table);
        if (tables.length < TABLES_AT_ONCE) continue;
        context.emit({ type: "tables", tables });
        tables = [];
      }
      context.emit({ type: "tables", tables });
      return undefined;
    }),
  endStatement: async ({ source, ending }, { signal, libraries }) => {
    const connector = await libraries.connector(source.kind);
    await connector.endStatement?.(source, ending, { signal });
    return undefined;
  },
};

/** Opens a source with a folder of its own for as long as `work` takes. */
export async function withSession<T>(
  source: Source,
  context: CallContext,
  work: (session: SourceSession) => Promise<T>,
): Promise<T> {
  const connector = await context.libraries.connector(source.kind);
  const folder = await makeOwnFolder(context.temporaryDirectory, "source-");
  try {
    await using session = await connector.open(source, sourceContext(context, folder));
    return await work(session);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
