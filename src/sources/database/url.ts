import { DriverError } from "../../errors/driver-error.ts";
import { shownUri } from "../shown-uri.ts";

/** What the URL of a database names; nothing of it has been given a meaning yet. */
export interface DatabaseUrl {
  /** In small letters, without `jdbc:`. */
  readonly scheme: string;
  /** Empty where the URL names none. */
  readonly hosts: readonly DatabaseHost[];
  readonly database: string | undefined;
  readonly user: string | undefined;
  /** In the URL's order. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** What follows `#`: a table. */
  readonly table: string | undefined;
}

export interface DatabaseHost {
  readonly host: string;
  readonly port: number | undefined;
}

const SHAPE = /^(?:jdbc:)?([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?(?:#(.*))?$/is;
const SECRET = /pass|pwd|secret/i;

/**
 * Takes `postgresql://user@host:5432,[::1]/database?name=value#table` apart, with or without `jdbc:` in front. Throws
 * INVALID_CONNECTION, also where it holds a password: URLs are seen in process lists, histories and logs.
 */
export function parseDatabaseUrl(uri: string): DatabaseUrl {
  const shown = shownUri(uri);
  const invalid = (why: string) =>
    new DriverError("INVALID_CONNECTION", `${JSON.stringify(shown)}: ${why}`, { metadata: { uri: shown } });
  if (uri.includes("\0")) throw invalid("a URL holds no character U+0000");
  const match = SHAPE.exec(uri);
  if (!match) throw invalid("not the URL of a database: SCHEME://USER@HOST:PORT/DATABASE?NAME=VALUE");
  const decode = (text: string, form = false) => {
    try {
      return decodeURIComponent(form ? text.replaceAll("+", " ") : text);
    } catch {
      throw invalid("a % is not followed by two hexadecimal digits of UTF-8");
    }
  };
  const [, scheme = "", authority = "", path, query = "", fragment] = match;
  const at = authority.lastIndexOf("@");
  const login = at < 0 ? "" : authority.slice(0, at);
  if (login.includes(":")) throw passwordInUrl(shown);
  const parameters = query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=");
      const name = decode(equals < 0 ? pair : pair.slice(0, equals), true);
      if (SECRET.test(name)) throw passwordInUrl(shown, name);
      if (equals < 0) throw invalid(`the parameter ${JSON.stringify(name)} has no value`);
      return [name, decode(pair.slice(equals + 1), true)] as const;
    });
  const twice = parameters.find(([name], index) => parameters.findIndex((other) => other[0] === name) < index);
  if (twice) throw invalid(`the parameter ${JSON.stringify(twice[0])} stands there twice`);
  return {
    scheme: scheme.toLowerCase(),
    hosts: hostsOf(authority.slice(at + 1), decode, invalid),
    database: path ? decode(path) : undefined,
    user: login === "" ? undefined : decode(login),
    parameters,
    table: fragment ? decode(fragment) : undefined,
  };
}

function passwordInUrl(shown: string, parameter?: string): DriverError {
  const where = parameter === undefined ? "" : ` (parameter ${JSON.stringify(parameter)})`;
  return new DriverError(
    "INVALID_CONNECTION",
    `the URL holds a password${where}: give the option \`secret\` (\`env:DROVER_SECRET_…\` or \`file:/…\`), or use a stored connection`,
    { metadata: { uri: shown } },
  );
}

function hostsOf(
  text: string,
  decode: (text: string) => string,
  invalid: (why: string) => DriverError,
): readonly DatabaseHost[] {
  if (text === "") return [];
  return text.split(",").map((entry) => {
    const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/i.exec(entry);
    const port = match?.[3] === undefined ? undefined : Number(match[3]);
    if (!match || (port !== undefined && (port < 1 || port > 65_535)))
      // What stands there is not shown: it may be a password whose signs were not escaped.
      throw invalid("the host is no HOST, HOST:PORT or [IPv6]:PORT");
    const host = match[1] ?? decode(match[2] ?? "");
    if (host === "") throw invalid("a host is missing");
    return { host, port };
  });
}
