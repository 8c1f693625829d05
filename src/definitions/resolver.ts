import type { ConnectionRecord, DefinitionTables } from "../catalog/definitions.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { ServedKind, ServedKinds, SourceNames } from "../library-sets/served-kinds.ts";
import type { Server, SourceKind, SourceSpec } from "../sources/connector.ts";
import { httpSettings } from "../sources/http/options.ts";
import { chooseKind } from "../sources/kinds.ts";
import { type Uploads, uploadId } from "../uploads/model.ts";
import { fileDefaults, meaningOf, parted, withDefaults, withPassword } from "./defaults.ts";
import { findConnection, findSource, findUpload } from "./lookup.ts";
import {
  type NamedSource,
  type ResolvedSource,
  type ResolveOptions,
  type SourceResolver,
  storedName,
} from "./model.ts";
import { requireNoPassword } from "./plain-passwords.ts";
import { resolveUpload } from "./resolve-upload.ts";
import type { Passwords } from "./secrets/passwords.ts";

export interface ResolverParts {
  readonly kinds: ServedKinds;
  readonly passwords: Passwords;
  /** For servers whose connection has no limit of its own. */
  readonly statementLimit: number;
  readonly uploads: Pick<Uploads, "use" | "useBeginning">;
}

/** From what a client named to what a worker gets: finds definitions and kind, checks the options, and brings secrets in at the last moment. */
export function createSourceResolver(parts: ResolverParts, tables: DefinitionTables): SourceResolver {
  return { resolve: (spec, options = {}) => new Resolving(parts, tables, options).resolve(spec) };
}

class Resolving {
  readonly #parts: ResolverParts;
  readonly #tables: DefinitionTables;
  readonly #options: ResolveOptions;

  constructor(parts: ResolverParts, tables: DefinitionTables, options: ResolveOptions) {
    this.#parts = parts;
    this.#tables = tables;
    this.#options = options;
  }

  async resolve(spec: SourceSpec): Promise<ResolvedSource> {
    const name = storedName(spec.uri);
    if (name !== undefined) return this.#stored(name, spec);
    const upload = uploadId(spec.uri);
    if (upload !== undefined) return this.#upload(spec, upload);
    requireNoPassword(spec);
    if (spec.connection) return this.#connected(spec, spec.connection);
    if (spec.uri === "") throw new DriverError("INVALID_SOURCE", "a source needs a URI or a connection");
    const served = this.#served(chooseKind(this.#parts.kinds.all, spec), {});
    return served.kind.connectionOptions === undefined ? this.#file(served, spec) : this.#url(served, spec);
  }

  /** A source that is defined: what is given counts before what is defined. */
  async #stored(name: string, spec: SourceSpec): Promise<ResolvedSource> {
    if (spec.connection) throw new DriverError("INVALID_SOURCE", "a stored source has its own connection, or none");
    requireNoPassword({ uri: "", options: spec.options });
    const { kind, uri, options, connection, disabled } = await findSource(this.#tables, name);
    if (disabled && !this.#options.disabled)
      throw new DriverError("SOURCE_DISABLED", `the source ${JSON.stringify(name)} is disabled`, {
        metadata: { source: name },
      });
    if (spec.format && spec.format !== kind)
      throw new DriverError("INVALID_SOURCE", `the source ${JSON.stringify(name)} is ${kind}, not ${spec.format}`, {
        metadata: { source: name, format: spec.format },
      });
    const merged = { ...options, ...spec.options };
    const defined = { ...rowsOf(spec), format: kind, uri, options: merged, ...(connection && { connection }) };
    const resolved = await new Resolving(this.#parts, this.#tables, { ...this.#options, name }).resolve(defined);
    const { format, ...meaning } = resolved.named;
    return {
      ...resolved,
      named: { ...rowsOf(spec), format, uri: spec.uri, options: spec.options },
      meaning: { ...meaning, ...resolved.meaning },
    };
  }

  /** A source on a stored connection. */
  async #connected(spec: SourceSpec, name: string): Promise<ResolvedSource> {
    if (spec.uri !== "")
      throw new DriverError("INVALID_SOURCE", "a source has a URI or a connection, not both", {
        metadata: { connection: name },
      });
    const { passwords, statementLimit } = this.#parts;
    const record = await findConnection(this.#tables, name);
    const chosen = chooseKind(this.#parts.kinds.all, { format: record.kind, uri: "" });
    const { kind, set, defaults } = this.#served(chosen, { connection: name });
    if (spec.format && spec.format !== kind.kind)
      throw new DriverError(
        "INVALID_SOURCE",
        `the connection ${JSON.stringify(name)} is ${kind.kind}, not ${spec.format}`,
        { metadata: { connection: name, format: spec.format } },
      );
    const { ofConnection, ofSource } = parted(kind, spec.options);
    const [given] = Object.keys(ofConnection);
    if (given !== undefined)
      throw new DriverError("INVALID_OPTION", `option ${given}: belongs to the connection ${JSON.stringify(name)}`, {
        metadata: { option: given, connection: name },
      });
    const options = this.#checked(kind, { ...parted(kind, defaults).ofSource, ...ofSource });
    return {
      ...{ kind, set },
      named: { ...rowsOf(spec), format: kind.kind, uri: "", options: spec.options, connection: name },
      meaning: { server: { uri: record.uri, options: record.options }, ...meaningOf(defaults).meaning },
      statements: { connection: name, limit: record.maxStatements ?? statementLimit },
      open: async (open) => {
        // It may have got another password, and with it another address, since.
        const now = await findConnection(this.#tables, name);
        const password = await passwords.ofRecord(now, open);
        const server = withPassword(withDefaults(kind, serverOf(now), defaults), password);
        return { ...rowsOf(spec), kind: kind.kind, uri: "", options, server };
      },
    };
  }

  /** A server's URL: options of the connection stand among those of the source. */
  #url({ kind, set, defaults }: ServedKind, spec: SourceSpec): ResolvedSource {
    const { uri } = spec;
    const { passwords, statementLimit } = this.#parts;
    const { secret, ...given } = spec.options;
    const { ofConnection, ofSource } = parted(kind, given);
    const reference = passwords.referenceOf(secret);
    const server = withDefaults(kind, { name: placeOf(uri), uri, options: ofConnection }, defaults);
    kind.checkConnection?.(server);
    const options = this.#checked(kind, { ...parted(kind, defaults).ofSource, ...ofSource });
    return {
      ...{ kind, set },
      ...meaningOf(defaults),
      named: namedAs(spec, kind),
      statements: { connection: server.name, limit: statementLimit },
      open: async (open) => {
        const password = reference && (await passwords.read(reference, open));
        return { ...rowsOf(spec), kind: kind.kind, uri, options, server: withPassword(server, password) };
      },
    };
  }

  async #upload(spec: SourceSpec, id: string): Promise<ResolvedSource> {
    const resolved = resolveUpload(spec, await findUpload(this.#tables, id), this.#parts, this.#options);
    this.#requireNoServer(resolved.kind);
    return resolved;
  }

  #file({ kind, set, defaults }: ServedKind, spec: SourceSpec): ResolvedSource {
    this.#requireNoServer(kind);
    const { uri } = spec;
    const { passwords } = this.#parts;
    const options = this.#checked(kind, { ...fileDefaults(uri, defaults), ...spec.options });
    httpSettings(uri, options);
    const reference = passwords.referenceOf(options.secret);
    return {
      ...{ kind, set },
      ...meaningOf(defaults),
      named: namedAs(spec, kind),
      open: async (open) => {
        const authorization = reference && (await passwords.read(reference, open));
        return {
          ...rowsOf(spec),
          kind: kind.kind,
          uri,
          options,
          ...(authorization !== undefined && { authorization }),
        };
      },
    };
  }

  #served({ kind }: SourceKind, { connection }: Pick<SourceNames, "connection">): ServedKind {
    return this.#parts.kinds.serve(kind, { source: this.#options.name, connection });
  }

  #requireNoServer({ kind }: SourceKind): void {
    if (!this.#options.server) return;
    throw new DriverError("INVALID_SOURCE", `${kind} speaks to no server`, { metadata: { format: kind } });
  }

  #checked(kind: SourceKind, options: SourceSpec["options"]): SourceSpec["options"] {
    if (this.#options.server) return {};
    kind.check(options);
    return options;
  }
}

function serverOf({ name, uri, options }: ConnectionRecord): Server {
  return { name, uri, options };
}

function namedAs({ uri, options, ...rest }: SourceSpec, { kind }: SourceKind): NamedSource {
  return { ...rowsOf(rest), format: kind, uri, options };
}

/** Which rows are wanted. */
function rowsOf({ filter, limit }: Pick<SourceSpec, "filter" | "limit">): Pick<SourceSpec, "filter" | "limit"> {
  return { ...(filter !== undefined && { filter }), ...(limit !== undefined && { limit }) };
}

/** What the statements of a URL are counted for: the server and its database. */
function placeOf(uri: string): string {
  return uri.replace(/[?#;].*$/s, "");
}
