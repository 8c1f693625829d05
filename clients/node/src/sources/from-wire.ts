import { required } from "../checks.ts";
import { sourceFrom } from "../from-wire.ts";
import * as wire from "../gen/drover/v1/source_service_pb.js";
import { dateFrom } from "../times.ts";
import type { JsonObject } from "../values.ts";
import type {
  Connection,
  ImportResult,
  OptionDescription,
  OptionType,
  SourceKind,
  SourceTable,
  StoredSource,
} from "./model.ts";

export function connectionFrom(answer: wire.Connection | undefined): Connection {
  const connection = required(answer);
  const { name, kind, uri, options, secret, hasPassword, maxStatements, labels, etag } = connection;
  return {
    ...{ name, kind, uri, hasPassword, labels, etag },
    options: (options ?? {}) as JsonObject,
    secret: secret || undefined,
    librarySet: connection.librarySet || undefined,
    maxStatements: maxStatements || undefined,
    createTime: dateFrom(connection.createTime),
    updateTime: dateFrom(connection.updateTime),
  };
}

export function storedSourceFrom(answer: wire.StoredSource | undefined): StoredSource {
  const stored = required(answer);
  const source = required(sourceFrom(stored.source));
  const { name, disabled, labels, etag } = stored;
  return {
    ...{ name, source, disabled, labels, etag },
    librarySet: stored.librarySet || undefined,
    createTime: dateFrom(stored.createTime),
    updateTime: dateFrom(stored.updateTime),
  };
}

export function tableFrom({ schema, name, view, rows, comment }: wire.SourceTable): SourceTable {
  return { schema, name, type: view ? "view" : "table", rows: rows === undefined ? undefined : Number(rows), comment };
}

const optionTypes: Readonly<Partial<Record<wire.OptionType, OptionType>>> = {
  [wire.OptionType.BOOLEAN]: "boolean",
  [wire.OptionType.INTEGER]: "integer",
  [wire.OptionType.STRING_LIST]: "stringList",
  [wire.OptionType.STRING_MAP]: "stringMap",
};

export function kindFrom({ kind, summary, extensions, schemes, ...described }: wire.SourceKind): SourceKind {
  const options = described.options.map(optionFrom);
  return {
    ...{ kind, summary, extensions, schemes, options },
    connectionOptions: described.connectionOptions.map(optionFrom),
  };
}

function optionFrom({ name, type, doc, default: usual, choices, example }: wire.OptionDescription): OptionDescription {
  return { ...{ name, doc, choices, example }, type: optionTypes[type] ?? "string", default: usual };
}

export function importFrom(result: wire.ImportSourcesResponse): ImportResult {
  const { createdConnections, replacedConnections, createdSources, replacedSources, unchanged } = result;
  return {
    ...{ createdConnections, replacedConnections, createdSources, replacedSources, unchanged },
    missingSecrets: result.missingSecrets.map(({ name, secret }) => ({ name, secret })),
  };
}
