import { DriverError } from "../../errors/driver-error.ts";
import type { SourceSpec } from "../connector.ts";
import { invalidOption, parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";

const DEFAULT_TIMEOUT_S = 60;
const MAX_TIMEOUT_S = 3_600;
/** What the fetching says itself, and what may hold a secret: that goes by reference. */
const OWN_HEADERS = new Set([
  ...["authorization", "proxy-authorization", "cookie", "host", "connection", "content-length", "transfer-encoding"],
  ...["range", "if-range", "accept-encoding", "expect", "upgrade", "te", "trailer", "keep-alive"],
]);

/** What can be told about files at http(s) URLs. */
export const httpOptions = {
  secret: {
    type: "string",
    doc: "For http(s): where the Authorization header is, `env:DROVER_SECRET_…` or `file:/…`: a token, which is sent as `Bearer TOKEN`, or a whole value such as `Basic …`.",
    default: "none",
    example: "env:DROVER_SECRET_LAKE",
  },
  headers: {
    type: "stringMap",
    doc: "For http(s): headers to send along. They are kept and shown: what is secret goes by `secret`.",
    default: "none",
    example: "accept=text/csv",
  },
  timeout: {
    type: "integer",
    doc: `For http(s): seconds without a byte after which the server counts as lost; then the fetching goes on with a new connection. At most ${MAX_TIMEOUT_S}.`,
    default: String(DEFAULT_TIMEOUT_S),
  },
} as const satisfies OptionSchema;

export interface HttpSettings {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export function isHttp(uri: string): boolean {
  return /^https?:\/\//i.test(uri);
}

/** What the options say of the fetching. Throws INVALID_SOURCE for a URL that is none, INVALID_OPTION. */
export function httpSettings(uri: string, options: SourceSpec["options"]): HttpSettings {
  const own = Object.entries(options).filter(([name]) => Object.hasOwn(httpOptions, name));
  const values = parseOptions("http", httpOptions, Object.fromEntries(own));
  const [given] = own.find(([, value]) => value !== undefined && value !== null) ?? [];
  if (isHttp(uri)) requireUrl(uri);
  else if (given !== undefined) throw invalidOption(given, options[given], "of use without an http(s) URL");
  const headers = values.map("headers") ?? {};
  for (const [name, value] of Object.entries(headers)) requireHeader(name, value);
  const timeout = values.integer("timeout") ?? DEFAULT_TIMEOUT_S;
  if (timeout < 1 || timeout > MAX_TIMEOUT_S) throw invalidOption("timeout", timeout, `between 1 and ${MAX_TIMEOUT_S}`);
  return { headers, timeoutMs: timeout * 1_000 };
}

function requireUrl(uri: string): void {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url !== undefined && url.username === "" && url.password === "") return;
  const why = url === undefined ? "it is no URL" : "it names a user; give the option `secret`";
  throw new DriverError("INVALID_SOURCE", `an http(s) source can't be used: ${why}`);
}

function requireHeader(name: string, value: string): void {
  if (OWN_HEADERS.has(name.toLowerCase()))
    throw invalidOption("headers", name, "a header that can be given (an Authorization goes by `secret`)");
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) || /[^\t\x20-\x7e]/.test(value))
    throw invalidOption("headers", name, "a header with a possible name and value");
}
