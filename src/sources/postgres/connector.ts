import { DriverError } from "../../errors/driver-error.ts";
import type { Connector, Source } from "../connector.ts";
import { handedTls } from "../database/connection-options.ts";
import { tlsOptions } from "../database/tls-files.ts";
import { cancelStatement } from "./cancel.ts";
import { PostgresConnection } from "./connection.ts";
import { type PostgresServer, serverOf, settingsOf } from "./options.ts";
import { PostgresSession } from "./session.ts";

/** Reads tables and queries of PostgreSQL. */
export const postgres: Connector = {
  kind: "postgres",
  filters: true,
  open: async (source, context) => {
    const settings = settingsOf(source.options, source.uri);
    const { server, facts } = namedServer(source);
    const { fileRoots, signal } = context;
    const connection = await PostgresConnection.open({ server, facts, fileRoots, signal });
    return new PostgresSession({ connection, server, settings, source, context });
  },
  endStatement: async (source, { host, port, pid, key }, { signal }) => {
    const { server } = namedServer(source);
    const place = { host: String(host), port: Number(port), pid: Number(pid), key: Number(key) };
    // Its files were allowed when the session was opened.
    const tls = await tlsOptions(server.tls, { host: place.host, fileRoots: undefined });
    await cancelStatement(place, { tls, signal });
  },
};

function namedServer({ server, handed }: Source): {
  readonly server: PostgresServer;
  readonly facts: { readonly name: string; readonly password: string | undefined };
} {
  if (server === undefined) throw new DriverError("INTERNAL", "a source in a database came without its server");
  const asked = serverOf(server);
  const tls = handedTls(asked.tls, { handed });
  return { server: { ...asked, tls }, facts: { name: server.name, password: server.password } };
}
