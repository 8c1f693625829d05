import type { AnnouncedUpload } from "../catalog/uploads.ts";
import type { Owner, Whose } from "../operations/owner.ts";

/** A file that a client has sent, or sends. */
export interface UploadInfo extends AnnouncedUpload {
  /** What a source calls it: `upload:ID`. */
  readonly uri: string;
  /** Whether all of it is there and verified. */
  readonly finished: boolean;
  /** How many bytes of it are kept: where a client goes on. */
  readonly receivedBytes: number;
  readonly requestedBy: string;
  readonly owner: Owner | undefined;
  readonly createTime: Date;
  /** When it was last begun, gone on with, finished or used. */
  readonly useTime: Date;
  /** Undefined until it is finished. */
  readonly finishTime: Date | undefined;
}

/** What a client begins to send. */
export interface UploadBegin extends AnnouncedUpload {
  /** The place in the file of the first byte that it sends. */
  readonly offset: number;
  readonly requestedBy: string;
  /** Left out: nobody but an administrator may know of it then. */
  readonly whose?: Whose | undefined;
}

/** What a client sends after it has begun. */
export type UploadPart =
  | { readonly type: "bytes"; readonly bytes: Uint8Array }
  /** That was all. */
  | { readonly type: "end"; readonly sha256: string | undefined };

/** An upload as whoever reads it needs it. */
export interface UploadFile extends UploadInfo {
  /** On the driver's machine. Its ending says how it is compressed. */
  readonly path: string;
}

export interface KeepTextOptions {
  readonly requestedBy: string;
  readonly whose?: Whose | undefined;
  readonly signal: AbortSignal;
}

export interface BeginningOptions {
  readonly signal: AbortSignal;
  readonly patienceMs?: number;
}

/** What one asker may do with the files that are his: others' are as if they were not there. */
export interface OwnUploads extends Pick<Uploads, "receive" | "get" | "list" | "remove"> {
  /** Keeps a text that he has pasted; the same text is the same upload. */
  keepText(text: string, options: { readonly requestedBy: string; readonly signal: AbortSignal }): Promise<UploadInfo>;
}

/** Files that clients have sent to the data directory, for every driver of it. */
export interface Uploads {
  of(asker: Whose): OwnUploads;
  /**
   * Takes a file, or the rest of one; the call that comes last wins where two send one file to this process. What has come
   * stays when this fails, so that a client can go on, but for a file that is too large or damaged. Throws UPLOAD_EXISTS, UPLOAD_BUSY,
   * UPLOAD_TAKEN_OVER, UPLOAD_OFFSET, UPLOAD_INCOMPLETE, UPLOAD_DAMAGED, UPLOAD_TOO_LARGE, QUOTA_EXCEEDED, DISK_FULL.
   */
  receive(begin: UploadBegin, parts: AsyncIterable<UploadPart>): Promise<UploadInfo>;
  /** Keeps a text that somebody has pasted; the same text is the same upload. */
  keepText(text: string, options: KeepTextOptions): Promise<UploadInfo>;
  /** Throws UPLOAD_NOT_FOUND. */
  get(id: string): Promise<UploadInfo>;
  /** By id. */
  list(): Promise<readonly UploadInfo[]>;
  /** Ends a call that sends it to this process. Throws UPLOAD_NOT_FOUND, UPLOAD_BUSY. */
  remove(id: string): Promise<void>;
  /** A finished file for somebody who reads it now, which counts as use. Throws UPLOAD_NOT_FOUND, UPLOAD_INCOMPLETE. */
  use(id: string): Promise<UploadFile>;
  /**
   * A file as soon as its first bytes are there, or all of it. Throws UPLOAD_NOT_FOUND, and UPLOAD_INCOMPLETE once no more of it has
   * come for `patienceMs` (default: 30 s).
   */
  useBeginning(id: string, bytes: number, options: BeginningOptions): Promise<UploadFile>;
  /** Removes what nobody needs any more; `referred` are the ids that something refers to. */
  sweep(referred: () => Promise<ReadonlySet<string>>): Promise<void>;
}

const SCHEME = "upload:";

export function uploadUri(id: string): string {
  return `${SCHEME}${id}`;
}

/** The id in `upload:ID`; undefined for any other URI. */
export function uploadId(uri: string): string | undefined {
  return uri.startsWith(SCHEME) ? uri.slice(SCHEME.length) : undefined;
}
