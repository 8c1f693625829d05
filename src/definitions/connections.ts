import { randomUUID } from "node:crypto";
import type { ConnectionRecord, DefinitionCatalog, DefinitionTables } from "../catalog/definitions.ts";
import { nameKey } from "../datasets/names.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { ServedKind, ServedKinds } from "../library-sets/served-kinds.ts";
import { canonicalJson } from "../operations/identity.ts";
import { chooseKind } from "../sources/kinds.ts";
import { withDefaults, withPassword } from "./defaults.ts";
import { findConnection, requireNew, requireUnchanged, toConnection } from "./lookup.ts";
import type { Connection, ConnectionChange, ConnectionDraft, Expected, ResolvedSource } from "./model.ts";
import { requireNoPassword } from "./plain-passwords.ts";
import type { Passwords } from "./secrets/passwords.ts";

/** Connections by name. What one driver process changes counts in all of them at once. */
export interface Connections {
  /** Throws CONNECTION_EXISTS, INVALID_CONNECTION, UNKNOWN_FORMAT, UNKNOWN_OPTION, INVALID_OPTION, SECRET_FORBIDDEN. */
  create(draft: ConnectionDraft, password: string | undefined): Promise<Connection>;
  /** Throws CONNECTION_NOT_DEFINED. */
  get(name: string): Promise<Connection & { readonly usedBy: readonly string[] }>;
  /** By name. */
  list(): Promise<readonly Connection[]>;
  /** Throws CONNECTION_NOT_DEFINED, DEFINITION_CHANGED, PASSWORD_REQUIRED, and what `create` throws. */
  update(name: string, change: ConnectionChange, expected: Expected): Promise<Connection>;
  /** Throws CONNECTION_NOT_DEFINED, DEFINITION_CHANGED, CONNECTION_IN_USE. */
  delete(name: string, expected: Expected): Promise<void>;
}

export interface ConnectionParts {
  readonly kinds: ServedKinds;
  readonly passwords: Passwords;
}

export function createConnections(parts: ConnectionParts, catalog: DefinitionCatalog): Connections {
  return {
    create: async (draft, password) => {
      const record = newConnection(parts, draft, password);
      return catalog.atomically(async (tables) => {
        await requireNew(tables, "connection", draft.name);
        await tables.connections.put(record);
        return toConnection(record);
      });
    },
    get: async (name) => {
      const record = await findConnection(catalog, name);
      return { ...toConnection(record), usedBy: await catalog.usersOf(name) };
    },
    list: async () => (await catalog.connections.list()).map(toConnection),
    update: (name, change, expected) =>
      catalog.atomically(async (tables) => {
        const present = await findConnection(tables, name);
        requireUnchanged(present, expected);
        const record = changedConnection(parts, present, change);
        await tables.connections.put(record);
        return toConnection(record);
      }),
    delete: (name, expected) =>
      catalog.atomically(async (tables) => {
        const present = await findConnection(tables, name);
        requireUnchanged(present, expected);
        await requireUnused(tables, name);
        await tables.connections.remove(present.uid);
      }),
  };
}

/** The server of a connection that is given and not kept, for a test. */
export async function draftServer(
  parts: ConnectionParts & { readonly statementLimit: number },
  tables: DefinitionTables,
  draft: ConnectionDraft,
  password: string | undefined,
): Promise<ResolvedSource> {
  const present = draft.name === "" ? undefined : await tables.connections.find(nameKey(draft.name));
  const { uri, options, secret, maxStatements } = draft;
  // One that is kept may be tested with its own password only where that may go.
  const record =
    present?.name === draft.name && present.sealed !== undefined && !password && !secret
      ? changedConnection(parts, present, { uri, options })
      : newConnection(parts, draft, undefined);
  if (password && secret) throw twoPasswords();
  const { kind, set, defaults } = serverKind(parts.kinds, record);
  const { name, kind: format } = record;
  return {
    ...{ kind, set },
    named: { format, uri, options },
    statements: { connection: name || uri, limit: maxStatements ?? parts.statementLimit },
    open: async (open) => {
      const found = password || (await parts.passwords.ofRecord(record, open));
      const server = withDefaults(kind, { name: name || uri, uri, options }, defaults);
      return { kind: kind.kind, uri: "", options: {}, server: withPassword(server, found) };
    },
  };
}

/** A record for a connection that is to be kept, checked. */
export function newConnection(
  parts: ConnectionParts,
  draft: ConnectionDraft,
  password: string | undefined,
): ConnectionRecord {
  const { name, uri, options, labels, maxStatements } = draft;
  const now = new Date();
  const uid = randomUUID();
  const secret = draft.secret || undefined;
  if (password !== undefined && secret !== undefined) throw twoPasswords();
  const record = {
    ...{ uid, name, uri, options, labels, secret, maxStatements },
    nameKey: nameKey(name),
    kind: serverKind(parts.kinds, draft).kind.kind,
    sealed: password === undefined ? undefined : parts.passwords.seal(password, { uid, uri, options }),
    createTime: now,
    updateTime: now,
    revision: 1,
  };
  check(parts, record);
  return record;
}

/** The record with a change in it, checked. */
export function changedConnection(
  parts: ConnectionParts,
  present: ConnectionRecord,
  { password, secret, maxStatements, ...change }: ConnectionChange,
): ConnectionRecord {
  const record = {
    ...present,
    ...change,
    ...(maxStatements !== undefined && { maxStatements: maxStatements || undefined }),
    ...passwordAfter(parts, present, {
      ...change,
      ...(password && { password }),
      ...(secret !== undefined && { secret }),
    }),
    updateTime: new Date(),
    revision: present.revision + 1,
  };
  check(parts, record);
  return record;
}

function passwordAfter(
  { passwords }: ConnectionParts,
  present: ConnectionRecord,
  change: ConnectionChange,
): Pick<ConnectionRecord, "secret" | "sealed"> {
  const { uid, uri, options } = { ...present, ...change };
  const { password, secret } = change;
  if (password !== undefined && secret) throw twoPasswords();
  if (password !== undefined) return { secret: undefined, sealed: passwords.seal(password, { uid, uri, options }) };
  if (secret !== undefined) return { secret: secret || undefined, sealed: undefined };
  if (present.sealed !== undefined && !isSamePlace(present, { uri, options }))
    throw new DriverError(
      "PASSWORD_REQUIRED",
      `the connection ${JSON.stringify(present.name)} is to go elsewhere or otherwise: its password must be given again`,
      { metadata: { connection: present.name } },
    );
  return { secret: present.secret, sealed: present.sealed };
}

/** Whether a password that is kept for one may be sent to the other. */
export function isSamePlace(
  one: Pick<ConnectionRecord, "uri" | "options">,
  other: Pick<ConnectionRecord, "uri" | "options">,
): boolean {
  return one.uri === other.uri && canonicalJson(one.options) === canonicalJson(other.options);
}

/** The kind of a connection. Throws UNKNOWN_FORMAT, INVALID_CONNECTION for one that speaks to no server. */
function serverKind(kinds: ServedKinds, draft: Pick<ConnectionDraft, "name" | "kind" | "uri" | "options">): ServedKind {
  requireNoPassword(draft);
  if (draft.uri === "") throw new DriverError("INVALID_CONNECTION", "a connection needs the URL of its server");
  const chosen = chooseKind(kinds.all, { format: draft.kind, uri: draft.uri });
  const served = kinds.serve(chosen.kind, { connection: draft.name });
  const { kind } = served;
  if (kind.connectionOptions !== undefined) return served;
  throw new DriverError("INVALID_CONNECTION", `${kind.kind} speaks to no server, so it needs no connection`, {
    metadata: { format: kind.kind },
  });
}

function check({ kinds, passwords }: ConnectionParts, record: ConnectionRecord): void {
  serverKind(kinds, record).kind.checkConnection?.(record);
  passwords.referenceOf(record.secret);
}

async function requireUnused(tables: DefinitionTables, name: string): Promise<void> {
  const users = await tables.usersOf(name);
  if (users.length === 0) return;
  const shown = users.slice(0, MAX_SHOWN).map((user) => JSON.stringify(user));
  const more = users.length > MAX_SHOWN ? ` and ${users.length - MAX_SHOWN} more` : "";
  throw new DriverError(
    "CONNECTION_IN_USE",
    `the connection ${JSON.stringify(name)} is used by ${shown.join(", ")}${more}`,
    {
      metadata: { connection: name, sources: users.slice(0, MAX_SHOWN).join(", "), count: String(users.length) },
    },
  );
}

const MAX_SHOWN = 10;

function twoPasswords(): DriverError {
  return new DriverError("INVALID_CONNECTION", "a connection has a secret or a password, not both");
}
