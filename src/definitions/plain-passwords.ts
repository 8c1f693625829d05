import { DriverError } from "../errors/driver-error.ts";
import type { SourceSpec } from "../sources/connector.ts";

const NAMES =
  "pass(?:word|wd|phrase)?\\d?|pwd|sslpassword|trust(?:certificatekey)?storepassword|clientcertificatekeystorepassword";
const OPTION = new RegExp(`^(?:${NAMES})$`, "i");
/** Parameters of a query (`?a=b&`), properties (`;a=b`) and the key-value form of MySQL's JDBC URLs (`(a=b)`). */
const PARAMETER = new RegExp(`[?&;,(]\\s*(?:${NAMES})\\s*=\\s*[^&;,)\\s]`, "i");
const INSTEAD = "give the option `secret` (`env:DROVER_SECRET_…` or `file:/…`), or use a stored connection";

/**
 * Throws INVALID_CONNECTION where a password stands in the open: it would be kept in the history and in every version's lineage.
 * The message shows neither the URL nor the value.
 */
export function requireNoPassword({ uri, options }: Pick<SourceSpec, "uri" | "options">): void {
  if (holdsPassword(uri)) throw refused("the URL holds a password");
  const name = Object.keys(options).find((option) => OPTION.test(option));
  if (name !== undefined) throw refused(`the option ${JSON.stringify(name)} holds a password`);
}

function holdsPassword(uri: string): boolean {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.:-]*):\/\/(.*)$/is.exec(uri) ?? [];
  if (scheme === undefined || /^file$/i.test(scheme)) return false;
  const authority = rest.split(/[/?#]/, 1)[0] ?? "";
  if (/^https?$/i.test(scheme)) return /^[^@:]*:[^@]+@/.test(authority);
  // People leave slashes, question marks and signs of a password as they are, so it may reach beyond the authority.
  return /^[^:/?#@]*:.*[^:]@/s.test(rest) || PARAMETER.test(decoded(rest));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refused(what: string): DriverError {
  return new DriverError("INVALID_CONNECTION", `${what}, which would be kept in the history: ${INSTEAD}`);
}
