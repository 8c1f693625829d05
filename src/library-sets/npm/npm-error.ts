import { DriverError } from "../../errors/driver-error.ts";
import type { Reason } from "../../errors/reasons.ts";
import type { NpmEnd } from "./run-npm.ts";

/** npm's own account of what went wrong. */
interface NpmFailure {
  readonly code: string;
  readonly summary: string;
  readonly detail: string;
}

const REASONS: Readonly<Record<string, Reason>> = {
  E404: "PACKAGE_NOT_FOUND",
  ETARGET: "PACKAGE_VERSION_NOT_FOUND",
  ENOVERSIONS: "PACKAGE_VERSION_NOT_FOUND",
  EBADENGINE: "PACKAGE_INCOMPATIBLE",
  EBADPLATFORM: "PACKAGE_INCOMPATIBLE",
  ERESOLVE: "PACKAGE_INCOMPATIBLE",
  EPEERINVALID: "PACKAGE_INCOMPATIBLE",
  EINTEGRITY: "PACKAGE_DAMAGED",
  EBADSIZE: "PACKAGE_DAMAGED",
  TAR_BAD_ARCHIVE: "PACKAGE_DAMAGED",
  EUSAGE: "INVALID_LOCKFILE",
  ELOCKVERIFY: "INVALID_LOCKFILE",
  // Packages that come from Git, a folder or a URL of their own.
  EALLOWGIT: "PACKAGE_VERSION_INEXACT",
  EALLOWREMOTE: "PACKAGE_VERSION_INEXACT",
  EALLOWFILE: "PACKAGE_VERSION_INEXACT",
  EALLOWDIRECTORY: "PACKAGE_VERSION_INEXACT",
  ENOSPC: "DISK_FULL",
  EDQUOT: "DISK_FULL",
  EFBIG: "DISK_FULL",
};

/** The codes of HTTP, DNS and sockets. */
const UNAVAILABLE =
  /^(?:E4\d\d|E5\d\d|ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|ERR_SOCKET_TIMEOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|FETCH_ERROR|ENEEDAUTH|EOTP|EAUTH\w+|CERT_\w+|ERR_TLS_\w+|UNABLE_TO_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+|EPROTO|ENOTCACHED)$/;
const MAX_MESSAGE = 1_000;

/** What a run of npm that failed means, in the catalogue's words. */
export function npmError(end: NpmEnd): DriverError {
  const failure = failureOf(end);
  const reason = reasonOf(failure, end.log);
  const metadata = { npm: failure.code, ...packageIn(failure) };
  return new DriverError(reason, textOf(reason, failure), { metadata });
}

function failureOf({ output, log, code, signal }: NpmEnd): NpmFailure {
  // A file that may not grow: npm dies of it where it does not see the error first.
  if (signal === "SIGXFSZ") return { code: "EFBIG", summary: "", detail: "" };
  try {
    const { error } = JSON.parse(output) as { error?: Partial<Record<keyof NpmFailure, unknown>> };
    // A number is the one that a script has ended with, and what the script said stands in the log only.
    if (error !== undefined && typeof error.code !== "number") {
      const text = (value: unknown) => (typeof value === "string" ? value : "");
      return { code: text(error.code), summary: text(error.summary), detail: text(error.detail) };
    }
  } catch {
    // It was ended, or has written something else first.
  }
  const said = log
    .split("\n")
    .filter((line) => line.startsWith("npm error "))
    .map((line) => line.slice("npm error ".length));
  const named = /^code (\S+)$/.exec(said[0] ?? "")?.[1] ?? "";
  const script = said.map((line) => /^path .*node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(line)?.[1]).find(Boolean);
  const told = said.filter((line) => !/^(code|errno|syscall|path) |^Log files were not written/.test(line));
  const summary = `${script === undefined ? "" : `${script}: `}${told.join("\n")}`;
  const end = signal === undefined ? `npm ended with code ${code}` : `npm was ended by ${signal}`;
  return { code: named, summary: summary || end, detail: "" };
}

function reasonOf({ code, summary }: NpmFailure, log: string): Reason {
  const known = REASONS[code];
  if (known !== undefined) return known;
  if (/\b(?:ENOSPC|EFBIG|EDQUOT)\b/.test(`${summary}\n${log}`)) return "DISK_FULL";
  if (/^(?:Z_|TAR_)/.test(code) || /integrity/i.test(summary)) return "PACKAGE_DAMAGED";
  return UNAVAILABLE.test(code) ? "REGISTRY_UNAVAILABLE" : "INSTALL_FAILED";
}

/**
 * To see what a package brings along in its own tarball, npm fetches that by its URL, and refuses to as if another package had asked
 * for a URL, which it tells by the name before it.
 */
export function isBundling(end: NpmEnd): boolean {
  const { code, detail } = failureOf(end);
  return code === "EALLOWREMOTE" && /"https?:/.test(detail);
}

/** What npm advises in its details is for people who run npm. */
function textOf(reason: Reason, failure: NpmFailure): string {
  const { code, detail } = failure;
  if (reason === "DISK_FULL") return "no space is left in the data directory or in npm's cache";
  // What follows the first empty line but one tells how npm is used.
  const summary = code === "EUSAGE" ? failure.summary.split("\n\n").slice(0, 2).join("\n") : failure.summary;
  const isDetailTold = reason === "PACKAGE_INCOMPATIBLE" || code.startsWith("EALLOW");
  const more = isDetailTold ? `: ${detail.split("\n\n").slice(0, 2).join("\n")}` : "";
  return `${summary}${more}`.replace(/\s*\n\s*/g, "; ").slice(0, MAX_MESSAGE);
}

/** The package that it speaks of, where it is sure. */
function packageIn({ code, summary, detail }: NpmFailure): Readonly<Record<string, string>> {
  const text = code === "E404" ? detail : `${summary}\n${detail}`;
  const found = /(?:'|for |version of [\w/]+: )((?:@[\w.~-]+\/)?[\w.~-]+)@([^\s'"]+?)\.?(?:'|\s|$)/.exec(text);
  return found?.[1] === undefined ? {} : { package: found[1], version: found[2] ?? "" };
}
