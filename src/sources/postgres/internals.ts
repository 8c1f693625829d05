import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { Client } from "pg";

/** What the connector needs of pg beyond its types: the protocol's own messages. */
export interface PgConnection extends EventEmitter {
  readonly stream: Socket;
  parse(message: { readonly text: string; readonly name: string }): void;
  describe(message: { readonly type: "S"; readonly name: string }): void;
  sync(): void;
}

/** A column of a result as the server describes it. */
export interface PgField {
  readonly name: string;
  readonly dataTypeID: number;
  readonly dataTypeModifier: number;
}

export interface PgClientInternals {
  readonly connection: PgConnection;
  readonly processID: number;
  readonly secretKey: number;
}

export function internals(client: Client): PgClientInternals {
  return client as unknown as PgClientInternals;
}
