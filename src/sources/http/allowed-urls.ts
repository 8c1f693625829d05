import { DriverError } from "../../errors/driver-error.ts";

/** A URL as errors and progress may show it: queries of signed URLs are secrets. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

/**
 * Throws URL_NOT_ALLOWED unless one of the rules lets a URL through: `*`, an origin (`https://data.example.com:8443`), or all hosts below
 * a name (`https://*.example.com`). Undefined allows any.
 */
export function requireAllowedUrl(url: URL, rules: readonly string[] | undefined): void {
  if (rules === undefined || rules.some((rule) => rule === "*" || matches(url, rule))) return;
  throw new DriverError("URL_NOT_ALLOWED", `the driver may not fetch from ${url.origin}`, {
    metadata: { origin: url.origin },
  });
}

function matches(url: URL, rule: string): boolean {
  const [, scheme = "", below = "", host = "", port = ""] = RULE.exec(rule.toLowerCase()) ?? [];
  if (`${scheme}:` !== url.protocol) return false;
  const wantedPort = port === DEFAULT_PORTS[scheme] ? "" : port;
  if (wantedPort !== url.port) return false;
  return below === "" ? url.hostname === host : url.hostname.endsWith(`.${host}`);
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };
const RULE = /^(https?):\/\/(\*\.)?(\[[0-9a-f:.]+\]|[^/:*\s]+)(?::(\d{1,5}))?\/?$/;

/** Whether a setting's entry is such a rule. */
export function isUrlRule(text: string): boolean {
  return text === "*" || RULE.test(text.toLowerCase());
}
