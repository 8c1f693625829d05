import { DriverError } from "../../errors/driver-error.ts";
import type { Connector, Server, Source } from "../connector.ts";
import { endMarked, loginOf, MysqlConnection } from "./connection.ts";
import { MysqlSession } from "./session.ts";

/** Reads MySQL and MariaDB by mysql2. */
export const mysql: Connector = {
  kind: "mysql",
  filters: true,
  open: async (source, context) => {
    const login = loginOf(serverOf(source), { ...source, fileRoots: context.fileRoots });
    const connection = await MysqlConnection.open(login, context.signal);
    try {
      return new MysqlSession(source, context, login, connection);
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  },
  // The files of TLS were allowed when the session was opened.
  endStatement: (source, ending, { signal }) =>
    endMarked(loginOf(serverOf(source), { ...source, fileRoots: undefined }), ending, signal),
};

function serverOf({ server }: Source): Server {
  if (server) return server;
  throw new DriverError("INVALID_CONNECTION", "a source in MySQL needs a server: a URL or a connection");
}
