import { create } from "@bufbuild/protobuf";
import { type FieldMask, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  ConnectionChange,
  ConnectionDraft,
  Connection as Kept,
  StoredSource as KeptSource,
  SourceChange,
  SourceDraft,
} from "../../definitions/model.ts";
import type { ConflictPolicy, Imported, Portable } from "../../definitions/portable.ts";
import {
  type Connection,
  ConnectionSchema,
  type Definitions,
  DefinitionsSchema,
  ImportConflict,
  type ImportSourcesResponse,
  ImportSourcesResponseSchema,
  MissingSecretSchema,
  type StoredSource,
  StoredSourceSchema,
} from "../../gen/drover/v1/source_service_pb.js";
import { invalidField } from "./invalid-field.ts";
import { maskedFields } from "./masks.ts";
import { fromSource, toSourceSpec } from "./sources.ts";
import { toStruct } from "./values.ts";

export function fromConnection(connection: Kept, librarySet: string | undefined): Connection {
  const { createTime, updateTime, etag } = connection;
  return create(ConnectionSchema, {
    ...portableConnection(connection),
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
    ...{ etag, librarySet: librarySet ?? "" },
  });
}

/** `place` is the path of the connection in its request. */
export function toConnectionDraft(connection: Connection | undefined, place: string): ConnectionDraft {
  const { name = "", kind, uri = "", options = {}, secret, maxStatements, labels = {} } = connection ?? {};
  if (name === "") throw invalidField(`${place}.name`, "a connection needs a name");
  return connectionDraft({ name, kind, uri, options, secret, maxStatements, labels });
}

/** A connection that is only to be tested: it may have no name. */
export function toTestedConnection(connection: Connection): ConnectionDraft {
  return connectionDraft(connection);
}

function connectionDraft({
  name,
  kind,
  uri,
  options = {},
  secret,
  maxStatements,
  labels,
}: Pick<Connection, "name" | "uri" | "labels" | "options"> & {
  readonly kind: string | undefined;
  readonly secret: string | undefined;
  readonly maxStatements: number | undefined;
}): ConnectionDraft {
  return {
    ...{ name, uri, options, labels },
    kind: kind || undefined,
    secret: secret || undefined,
    maxStatements: maxStatements || undefined,
  };
}

const CONNECTION_FIELDS = ["uri", "options", "secret", "maxStatements", "labels"] as const;

/** What an update changes. Throws INVALID_REQUEST for a mask with other fields. */
export function toConnectionChange(
  connection: Connection | undefined,
  mask: FieldMask | undefined,
  password: string,
): ConnectionChange {
  const { uri = "", options = {}, secret = "", maxStatements = 0, labels = {} } = connection ?? {};
  const values = { uri, options, secret, maxStatements, labels };
  const { fields, all } = maskedFields(CONNECTION_FIELDS, values, mask);
  const change = Object.fromEntries(fields.map((field) => [field, values[field]])) as ConnectionChange;
  const { secret: _, ...others } = change;
  // Whoever sends a connection back as a whole has not seen its password, and does not mean to lose it.
  const kept = secret === "" && (all || password !== "");
  return { ...(kept ? others : change), ...(password !== "" && { password }) };
}

export function fromStoredSource(stored: KeptSource, librarySet: string | undefined): StoredSource {
  const { createTime, updateTime, etag } = stored;
  return create(StoredSourceSchema, {
    ...portableSource(stored),
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
    ...{ etag, librarySet: librarySet ?? "" },
  });
}

export function toSourceDraft(stored: StoredSource | undefined, place: string): SourceDraft {
  const { name = "", source, disabled = false, labels = {} } = stored ?? {};
  if (source === undefined) throw invalidField(`${place}.source`, "a stored source says where the data comes from");
  return { name, source: toSourceSpec(source), disabled, labels };
}

const SOURCE_FIELDS = ["source", "disabled", "labels"] as const;

/** What an update changes. Throws INVALID_REQUEST for a mask with other fields, or a source that is to be left without a place. */
export function toSourceChange(stored: StoredSource | undefined, mask: FieldMask | undefined): SourceChange {
  const { source, disabled = false, labels = {} } = stored ?? {};
  const { fields } = maskedFields(SOURCE_FIELDS, { source, disabled, labels }, mask);
  if (fields.includes("source") && source === undefined)
    throw invalidField("source.source", "a stored source says where the data comes from");
  const values: SourceChange = { source: toSourceSpec(source), disabled, labels };
  return Object.fromEntries(fields.map((field) => [field, values[field]]));
}

/** Without times and tags, which say nothing elsewhere. */
export function fromDefinitions(exported: {
  readonly connections: readonly Kept[];
  readonly sources: readonly KeptSource[];
}): Definitions {
  return create(DefinitionsSchema, {
    connections: exported.connections.map((connection) => create(ConnectionSchema, portableConnection(connection))),
    sources: exported.sources.map((source) => create(StoredSourceSchema, portableSource(source))),
  });
}

export function toPortable(definitions: Definitions | undefined): Portable {
  const { connections = [], sources = [] } = definitions ?? {};
  return {
    connections: connections.map((connection, index) => ({
      ...toConnectionDraft(connection, `definitions.connections[${index}]`),
      hasPassword: connection.hasPassword,
    })),
    sources: sources.map((source, index) => toSourceDraft(source, `definitions.sources[${index}]`)),
  };
}

const POLICIES: Readonly<Record<ImportConflict, ConflictPolicy>> = {
  [ImportConflict.UNSPECIFIED]: "fail",
  [ImportConflict.FAIL]: "fail",
  [ImportConflict.SKIP]: "skip",
  [ImportConflict.REPLACE]: "replace",
};

/** Throws INVALID_REQUEST for a value of a newer contract. */
export function toConflictPolicy(policy: ImportConflict): ConflictPolicy {
  const known: ConflictPolicy | undefined = POLICIES[policy];
  if (known === undefined) throw invalidField("on_conflict", "is unknown");
  return known;
}

export function fromImported(imported: Imported): ImportSourcesResponse {
  return create(ImportSourcesResponseSchema, {
    createdConnections: [...imported.createdConnections],
    replacedConnections: [...imported.replacedConnections],
    createdSources: [...imported.createdSources],
    replacedSources: [...imported.replacedSources],
    unchanged: [...imported.unchanged],
    missingSecrets: imported.missingSecrets.map((missing) => create(MissingSecretSchema, missing)),
  });
}

function portableConnection({ name, kind, uri, options, secret = "", hasPassword, maxStatements = 0, labels }: Kept) {
  return {
    ...{ name, kind, uri, secret, hasPassword, maxStatements },
    options: toStruct(options),
    labels: { ...labels },
  };
}

function portableSource({ name, source, disabled, labels }: KeptSource) {
  return { ...{ name, disabled }, source: fromSource(source), labels: { ...labels } };
}
