import { DriverError } from "../errors/driver-error.ts";
import type { Server, SourceKind, SourceSpec } from "../sources/connector.ts";
import { httpOptions, isHttp } from "../sources/http/options.ts";
import type { ResolvedSource } from "./model.ts";

type Options = SourceSpec["options"];

/** Options of a source beside a server's URL, or of a library set, divided among the server and what is read of it. */
export function parted({ connectionOptions = {} }: Pick<SourceKind, "connectionOptions">, options: Options) {
  const entries = Object.entries(options);
  const isOfConnection = ([name]: (typeof entries)[number]) =>
    name === "secret" || Object.hasOwn(connectionOptions, name);
  return {
    ofConnection: Object.fromEntries(entries.filter(isOfConnection)),
    ofSource: Object.fromEntries(entries.filter((entry) => !isOfConnection(entry))),
  };
}

/** A server with what a library set says of it, beneath its own options and the parameters of its URL. */
export function withDefaults(kind: SourceKind, server: Server, defaults: Options): Server {
  const wanted = Object.entries(parted(kind, defaults).ofConnection).filter(
    ([name, value]) => name !== "secret" && !contradictsUrl(kind, server, { [name]: value }),
  );
  return { ...server, options: { ...Object.fromEntries(wanted), ...server.options } };
}

/** What a library set says of files; how they are fetched is of no use where they are not. */
export function fileDefaults(uri: string, defaults: Options): Options {
  if (isHttp(uri)) return defaults;
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !Object.hasOwn(httpOptions, name)));
}

/** Only the kind knows which parameter stands for which option. */
function contradictsUrl(kind: SourceKind, { uri, options }: Server, more: Options): boolean {
  try {
    kind.checkConnection?.({ uri, options: { ...more, ...options } });
    return false;
  } catch (error) {
    return error instanceof DriverError && error.reason === "INVALID_URL_PARAMETER";
  }
}

/** Loads of the same source with other defaults are other loads. */
export function meaningOf(defaults: Options): Pick<ResolvedSource, "meaning"> {
  return Object.keys(defaults).length === 0 ? {} : { meaning: { defaults } };
}

export function withPassword(server: Server, password: string | undefined): Server {
  return password === undefined ? server : { ...server, password };
}
