import { fromJson, toJson, type JsonObject as WireJson } from "@bufbuild/protobuf";
import { clientError } from "../errors.ts";
import { sourceToWire } from "../from-wire.ts";
import { DefinitionsSchema, ImportConflict, SourceService } from "../gen/drover/v1/source_service_pb.js";
import type { Source } from "../model.ts";
import { paged } from "../pages.ts";
import type { CallOptions, Transport } from "../transport/transport.ts";
import type { JsonObject } from "../values.ts";
import type { DefinitionListOptions, ExpectedOptions } from "./connections.ts";
import { importFrom, kindFrom, storedSourceFrom, tableFrom } from "./from-wire.ts";
import type {
  ImportResult,
  SourceChange,
  SourceDraft,
  SourceKind,
  SourceTable,
  SourceTest,
  StoredSource,
} from "./model.ts";

/** Which tables are listed. */
export interface TablesOptions extends CallOptions {
  /** Only those whose `schema.name` holds this text, whatever the case. */
  readonly contains?: string | undefined;
}

/** Which definitions are exported. */
export interface ExportOptions extends CallOptions {
  /** Only sources of these names, with the connections that they use. Default: all sources and all connections. */
  readonly names?: readonly string[] | undefined;
}

/** How a document is taken. */
export interface ImportOptions extends CallOptions {
  /** What happens to names that exist already and differ. Default: `fail`, and nothing is imported. */
  readonly onConflict?: "fail" | "skip" | "replace" | undefined;
  /** Nothing is written: the answer says what would be. */
  readonly validateOnly?: boolean | undefined;
}

const { method } = SourceService;
const maxPageSize = 1000;

/** The sources that all drivers of a data directory share, and what can be found out about others. */
export class Sources {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The kinds that the driver knows, with their options. */
  async kinds(options: CallOptions = {}): Promise<readonly SourceKind[]> {
    return (await this.#transport.unary(method.listSourceKinds, {}, options)).kinds.map(kindFrom);
  }

  async create(draft: SourceDraft, options: CallOptions = {}): Promise<StoredSource> {
    const { source } = await this.#transport.unary(method.createSource, { source: toWire(draft) }, options);
    return storedSourceFrom(source);
  }

  async get(name: string, options: CallOptions = {}): Promise<StoredSource> {
    return storedSourceFrom((await this.#transport.unary(method.getSource, { name }, options)).source);
  }

  /** By name. */
  list(options: DefinitionListOptions = {}): AsyncGenerator<StoredSource, void, undefined> {
    return paged(async (pageToken) => {
      const request = { pageSize: maxPageSize, pageToken, labels: { ...options.labels } };
      const { sources, nextPageToken } = await this.#transport.unary(method.listSources, request, options);
      return { items: sources.map(storedSourceFrom), nextPageToken };
    });
  }

  async update(name: string, change: SourceChange, options: ExpectedOptions = {}): Promise<StoredSource> {
    const paths = Object.entries(change)
      .filter(([, value]) => value !== undefined)
      .map(([field]) => field);
    const { source, disabled = false, labels } = change;
    const stored = { ...{ name, disabled }, labels: { ...labels }, ...(source && { source: sourceToWire(source) }) };
    const request = { source: { ...stored, etag: options.etag ?? "" }, updateMask: { paths } };
    return storedSourceFrom((await this.#transport.unary(method.updateSource, request, options)).source);
  }

  async delete(name: string, options: ExpectedOptions = {}): Promise<void> {
    await this.#transport.unary(method.deleteSource, { name, etag: options.etag ?? "" }, options);
  }

  /** Looks whether a source can be reached, by name (`{ uri: "source:NAME" }`) or as it is given. */
  async test(source: Source, options: CallOptions = {}): Promise<SourceTest> {
    const request = { source: sourceToWire(source) };
    const { description, warnings } = await this.#transport.unary(method.testSource, request, options);
    return { description, warnings };
  }

  /** The tables and views of a server: of a connection, a URL, or the server of a source. */
  async *tables(source: Source, options: TablesOptions = {}): AsyncGenerator<SourceTable, void, undefined> {
    const request = { source: sourceToWire(source), contains: options.contains ?? "" };
    for await (const { tables } of this.#transport.stream(method.listTables, request, options))
      for (const table of tables) yield tableFrom(table);
  }

  /** Connections and sources as a JSON document (`drover.v1.Definitions`), without secrets. */
  async export(options: ExportOptions = {}): Promise<JsonObject> {
    const request = { names: [...(options.names ?? [])] };
    const { definitions } = await this.#transport.unary(method.exportSources, request, options);
    return toJson(DefinitionsSchema, definitions ?? fromJson(DefinitionsSchema, {})) as JsonObject;
  }

  /** Takes what `export` gave: all of it or, where something is wrong, nothing. */
  async import(document: JsonObject, options: ImportOptions = {}): Promise<ImportResult> {
    const request = {
      definitions: definitionsFrom(document),
      onConflict: conflicts[options.onConflict ?? "fail"],
      validateOnly: options.validateOnly ?? false,
    };
    return importFrom(await this.#transport.unary(method.importSources, request, options));
  }
}

const conflicts = {
  fail: ImportConflict.FAIL,
  skip: ImportConflict.SKIP,
  replace: ImportConflict.REPLACE,
} as const;

function definitionsFrom(document: JsonObject) {
  try {
    return fromJson(DefinitionsSchema, document as WireJson);
  } catch (error) {
    // The runtime says which field is wrong and then shows its value, which may be a password that somebody has written there.
    const [where = ""] = (error as Error).message.split(" from JSON");
    throw clientError("INVALID_ARGUMENT", `the document holds no definitions: ${where}`);
  }
}

function toWire({ name, source, disabled = false, labels }: SourceDraft) {
  return { ...{ name, disabled }, source: sourceToWire(source), labels: { ...labels } };
}
