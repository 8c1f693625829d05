import type { JsonObject as WireJson } from "@bufbuild/protobuf";
import { SourceService } from "../gen/drover/v1/source_service_pb.js";
import type { Labels } from "../model.ts";
import { paged } from "../pages.ts";
import type { CallOptions, Transport } from "../transport/transport.ts";
import { connectionFrom } from "./from-wire.ts";
import type { Connection, ConnectionChange, ConnectionDraft, SourceTest } from "./model.ts";

/** Which definitions are listed. */
export interface DefinitionListOptions extends CallOptions {
  /** Only those that carry every one of these. */
  readonly labels?: Labels | undefined;
}

/** Where a change begins. */
export interface ExpectedOptions extends CallOptions {
  /** Only in the state that this tag came with; DEFINITION_CHANGED otherwise. Default: in any. */
  readonly etag?: string | undefined;
}

/** How a connection is given its password. */
export interface PasswordOptions extends CallOptions {
  /** To be kept by the driver, sealed and never shown. */
  readonly password?: string | undefined;
}

const { method } = SourceService;
const maxPageSize = 1000;

/** The connections that all drivers of a data directory share. */
export class Connections {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create(draft: ConnectionDraft, options: PasswordOptions = {}): Promise<Connection> {
    const request = { connection: toWire(draft), password: options.password ?? "" };
    return connectionFrom((await this.#transport.unary(method.createConnection, request, options)).connection);
  }

  /** With the names of the sources that use it. */
  async get(name: string, options: CallOptions = {}): Promise<Connection & { readonly usedBy: readonly string[] }> {
    const { connection, usedBy } = await this.#transport.unary(method.getConnection, { name }, options);
    return { ...connectionFrom(connection), usedBy };
  }

  /** By name. */
  list(options: DefinitionListOptions = {}): AsyncGenerator<Connection, void, undefined> {
    return paged(async (pageToken) => {
      const request = { pageSize: maxPageSize, pageToken, labels: { ...options.labels } };
      const { connections, nextPageToken } = await this.#transport.unary(method.listConnections, request, options);
      return { items: connections.map(connectionFrom), nextPageToken };
    });
  }

  /** What begins to load afterwards uses the connection as it is then. */
  async update(name: string, change: ConnectionChange, options: ExpectedOptions = {}): Promise<Connection> {
    const { password = "", ...fields } = change;
    const paths = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([field]) => (field === "maxStatements" ? "max_statements" : field));
    // Without any, the mask means all that is not empty, which is nothing.
    const updateMask = { paths };
    const connection = { ...toWire({ ...fields, name, uri: fields.uri ?? "" }), etag: options.etag ?? "" };
    const request = { connection, updateMask, password };
    return connectionFrom((await this.#transport.unary(method.updateConnection, request, options)).connection);
  }

  /** Throws CONNECTION_IN_USE where sources use it. */
  async delete(name: string, options: ExpectedOptions = {}): Promise<void> {
    await this.#transport.unary(method.deleteConnection, { name, etag: options.etag ?? "" }, options);
  }

  /** Logs in: with a connection that is kept, by its name, or with one as it is given. */
  async test(connection: string | ConnectionDraft, options: PasswordOptions = {}): Promise<SourceTest> {
    const tested = typeof connection === "string" ? { name: connection } : toWire(connection);
    const request = { connection: tested, password: options.password ?? "" };
    const { description, warnings } = await this.#transport.unary(method.testConnection, request, options);
    return { description, warnings };
  }
}

function toWire({ name, kind = "", uri, options = {}, secret = "", maxStatements = 0, labels }: ConnectionDraft) {
  return { ...{ name, kind, uri, secret, maxStatements }, options: options as WireJson, labels: { ...labels } };
}
