import { DriverError } from "../errors/driver-error.ts";
import type { SourceKind, SourceSpec } from "../sources/connector.ts";
import { chooseKind } from "../sources/kinds.ts";
import { uploadId } from "../uploads/model.ts";
import type { NamedSource, ResolvedSource, Secrets, SourceResolver } from "./model.ts";
import { requireNoPassword } from "./plain-passwords.ts";
import { resolveUpload, type UploadParts } from "./resolve-upload.ts";

export interface ResolverParts {
  readonly kinds: readonly SourceKind[];
  readonly secrets: Secrets;
  /** For servers that are no stored connection. */
  readonly statementLimit: number;
  readonly uploads: UploadParts["uploads"];
}

/** From what a client named to what a worker gets: finds the kind, checks the options, and brings secrets in at the last moment. */
export function createSourceResolver(parts: ResolverParts): SourceResolver {
  return {
    resolve: async (spec) => {
      const upload = uploadId(spec.uri);
      return upload === undefined ? resolvePlace(spec, parts) : resolveUpload(spec, upload, parts);
    },
  };
}

/** A source that says itself where it is: a file, or a server's URL. */
function resolvePlace(spec: SourceSpec, parts: ResolverParts): ResolvedSource {
  requireNoPassword(spec);
  if (spec.uri === "") throw new DriverError("INVALID_SOURCE", "a source needs a URI or a connection");
  const kind = chooseKind(parts.kinds, spec);
  const named = namedAs(spec, kind);
  if (kind.connectionOptions !== undefined) return resolveUrl(kind, named, parts);
  kind.check(named.options);
  return {
    kind,
    named,
    open: async () => ({ ...rowsOf(named), kind: kind.kind, uri: named.uri, options: named.options }),
  };
}

/** A server's URL: options of the connection stand among those of the source. */
function resolveUrl(kind: SourceKind, named: NamedSource, { secrets, statementLimit }: ResolverParts): ResolvedSource {
  const { uri } = named;
  const { secret, ...given } = named.options;
  const { ofConnection, ofSource } = parted(kind, given);
  const reference = secretOf(secret);
  if (reference !== undefined) secrets.check(reference);
  const server = { name: placeOf(uri), uri, options: ofConnection };
  kind.checkConnection?.(server);
  kind.check(ofSource);
  return {
    kind,
    named,
    statements: { connection: server.name, limit: statementLimit },
    open: async ({ signal }) => {
      const password = reference === undefined ? undefined : await secrets.read(reference, { signal });
      return {
        ...rowsOf(named),
        kind: kind.kind,
        uri,
        options: ofSource,
        server: { ...server, ...(password !== undefined && { password }) },
      };
    },
  };
}

function namedAs({ uri, options, connection, ...rest }: SourceSpec, { kind }: SourceKind): NamedSource {
  return { ...rowsOf(rest), format: kind, uri, options, ...(connection !== undefined && { connection }) };
}

/** Which rows are wanted. */
function rowsOf({ filter, limit }: Pick<SourceSpec, "filter" | "limit">): Pick<SourceSpec, "filter" | "limit"> {
  return { ...(filter !== undefined && { filter }), ...(limit !== undefined && { limit }) };
}

function parted({ connectionOptions = {} }: SourceKind, options: SourceSpec["options"]) {
  const entries = Object.entries(options);
  const isOfConnection = ([name]: (typeof entries)[number]) => Object.hasOwn(connectionOptions, name);
  return {
    ofConnection: Object.fromEntries(entries.filter(isOfConnection)),
    ofSource: Object.fromEntries(entries.filter((entry) => !isOfConnection(entry))),
  };
}

function secretOf(secret: unknown): string | undefined {
  if (secret === undefined || secret === null) return undefined;
  if (typeof secret === "string") return secret;
  // It may be a password: it must not be shown.
  throw new DriverError("INVALID_OPTION", "option secret: not a reference", { metadata: { option: "secret" } });
}

/** What the statements of a URL are counted for: the server and its database. */
function placeOf(uri: string): string {
  return uri.replace(/[?#;].*$/s, "");
}
