import { DriverError } from "../../errors/driver-error.ts";
import { shownUrl } from "./allowed-urls.ts";
import type { Answer } from "./request.ts";

/** Statuses that may pass. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Throws what an answer without content means. */
export function checkStatus({ status, url }: Answer, received: number): void {
  if (status === 200 || status === 206) return;
  const shown = shownUrl(url);
  const metadata = { url: shown, status: String(status) };
  if (status === 404 || status === 410)
    throw new DriverError("SOURCE_NOT_FOUND", `there is nothing at ${shown} (HTTP ${status})`, { metadata });
  if (status === 401 || status === 403)
    throw new DriverError("SOURCE_ACCESS_DENIED", `the server of ${shown} refuses it (HTTP ${status})`, { metadata });
  if (status === 416 && received > 0) throw changed(url);
  // No byte of an empty file can be asked for.
  if (status === 416) throw new DriverError("EMPTY_SOURCE", `${shown} is empty`, { metadata: { file: shown } });
  if (PASSING.has(status)) throw new DriverError("SOURCE_FETCH_FAILED", `${shown}: HTTP ${status}`, { metadata });
  throw new DriverError("SOURCE_UNREADABLE", `${shown}: HTTP ${status}`, { metadata });
}

/** What a server says of the file that it sends. */
export class Representation {
  readonly etag: string | undefined;
  readonly modified: string | undefined;
  /** Of the whole file; undefined where the server does not say it. */
  readonly total: number | undefined;
  /** The place of the first byte that it sends. */
  readonly start: number;
  /** For a file's name: format and compression. */
  readonly ending: string;

  private constructor(answer: Answer) {
    this.etag = answer.header("etag");
    this.modified = answer.header("last-modified");
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header("content-range") ?? "");
    this.start = answer.status === 206 ? Number(range?.[1] ?? Number.NaN) : 0;
    const length = answer.status === 206 ? range?.[2] : answer.header("content-length");
    this.total = length === undefined || length === "*" ? undefined : Number(length);
    this.ending = endingOf(answer);
  }

  static of(answer: Answer): Representation {
    return new Representation(answer);
  }

  /** What tells this file from a later one for `If-Range`: a strong tag, else the time of its last change. */
  get validator(): string | undefined {
    return this.etag !== undefined && !this.etag.startsWith("W/") ? this.etag : this.modified;
  }

  /** Throws SOURCE_CHANGED where another file stands there now. */
  requireSame(now: Representation, url: URL): void {
    const other = <K extends "etag" | "modified" | "total">(key: K) =>
      this[key] !== undefined && now[key] !== undefined && this[key] !== now[key];
    if (other("etag") || other("modified") || other("total")) throw changed(url);
  }
}

function changed(url: URL): DriverError {
  return new DriverError("SOURCE_CHANGED", `${shownUrl(url)} changed while it was read`, {
    metadata: { file: shownUrl(url) },
  });
}

const ENCODINGS: Readonly<Record<string, string>> = { gzip: ".gz", "x-gzip": ".gz", zstd: ".zst" };
const TYPES: Readonly<Record<string, string>> = {
  "application/gzip": ".gz",
  "application/x-gzip": ".gz",
  "application/zstd": ".zst",
};

/** The ending of the URL's path, of plain letters only, and that of the compression which the server tells. */
function endingOf(answer: Answer): string {
  const encoding = (answer.header("content-encoding") ?? "identity").trim().toLowerCase();
  const [, ending = "", compressed = ""] = /((?:\.[a-z0-9]{1,10})?)(\.(?:gz|zst))?$/i.exec(answer.url.pathname) ?? [];
  const own = `${ending}${compressed}`.toLowerCase();
  const encoded = ENCODINGS[encoding];
  if (encoded === undefined && encoding !== "identity")
    throw new DriverError(
      "SOURCE_UNREADABLE",
      `${shownUrl(answer.url)} is sent compressed by ${encoding.slice(0, 50)}`,
      {
        metadata: { url: shownUrl(answer.url) },
      },
    );
  // Servers tell the compression of a `.gz` as its type, as its encoding, or not at all.
  if (/\.(gz|zst)$/.test(own)) return own;
  const type = (answer.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return `${own}${encoded ?? TYPES[type] ?? ""}`;
}
