import { clientError, DroverError } from "../errors.ts";
import type { Question } from "../gen/drover/v1/query_service_pb.js";
import type { Freshness } from "../gen/drover/v1/refresh_pb.js";
import { status } from "../status-codes.ts";

/** What a user may do beyond asking questions to every dataset. */
export interface Permissions {
  /** Which datasets the user may ask, list and see. Default: every one. */
  readonly read?: ((dataset: string) => boolean) | undefined;
  /** SQL. It names its datasets itself: whoever may write it reads every one, whatever `read` says. Default: false. */
  readonly sql?: boolean | undefined;
  /**
   * Into which datasets the user may load what. A source may be any file that the driver's `fileRoots` allow, any stored source or
   * connection, and any server with a secret of the driver's, so look at it. Default: none.
   */
  readonly load?: ((dataset: string, source: LoadedSource) => boolean) | undefined;
  /**
   * Which datasets the user may have refreshed, by asking for it or by an age limit in a question. SQL names its datasets itself:
   * with an age limit it may have every one refreshed where this is given at all. Default: none.
   */
  readonly refresh?: ((dataset: string) => boolean) | undefined;
  /** Which datasets the user may delete. Default: none. */
  readonly delete?: ((dataset: string) => boolean) | undefined;
  /**
   * Listing, seeing and cancelling everybody's operations, as far as this server's token goes: only an administrator's that is not
   * narrowed by a `scope` goes beyond the user's own. One's own may always be cancelled. Default: false.
   */
  readonly operations?: boolean | undefined;
  /** Seeing the driver: versions, pools, memory, who is attached. Default: false. */
  readonly driver?: boolean | undefined;
}

/** What is to be loaded. */
export interface LoadedSource {
  /** Empty where `connection` says where. */
  readonly uri: string;
  readonly format: string;
  /** The stored connection that is used; empty for none. */
  readonly connection: string;
}

const longestName = 200;

/** One user's permissions as checks that throw. */
export class Access {
  /** As the driver takes it: its lists and logs show printable ASCII only. */
  readonly endUser: string;
  readonly #may: Permissions;

  constructor(user: string, may: Permissions) {
    this.endUser = asciiName(user);
    this.#may = may;
  }

  get mayReadAll(): boolean {
    return this.#may.read === undefined;
  }

  mayRead(dataset: string): boolean {
    return this.#may.read?.(dataset) ?? true;
  }

  /** Whether the user may know where a dataset came from: paths and hosts are for those who load. */
  maySeeLineage(dataset: string, source: LoadedSource): boolean {
    return this.#may.load?.(dataset, source) ?? false;
  }

  /** The driver names a dataset whose name differs by case only: it may be one that the user may not read. */
  withoutHint(error: unknown): unknown {
    const isHint = error instanceof DroverError && error.reason === "DATASET_NOT_FOUND" && !this.mayReadAll;
    const { dataset, rebuildReason } = isHint ? error.metadata : {};
    if (!isHint || dataset === undefined || rebuildReason !== undefined) return error;
    const { reason, code, retryable, help, requestId, metadata } = error;
    const message = `there is no dataset "${dataset}"`;
    return new DroverError({ reason, message, code, retryable, help, requestId, metadata, cause: error });
  }

  read(dataset: string): void {
    if (!this.mayRead(dataset)) throw notAllowed(`read the dataset "${dataset}"`);
  }

  /** A question of a kind that this version does not know is refused: it might read anything. */
  ask(question: Question | undefined): void {
    const kind = question?.kind;
    if (kind?.case === "aggregate") this.readFresh(kind.value);
    else if (kind?.case !== "sql") throw clientError("INVALID_ARGUMENT", "the request asks no question");
    else if (this.#may.sql !== true) throw notAllowed("use SQL");
    else if (kind.value.freshness !== undefined && this.#may.refresh === undefined)
      throw notAllowed("have datasets refreshed");
  }

  /** To read a dataset at an age is to have it refreshed. */
  readFresh({ dataset, freshness }: { readonly dataset: string; readonly freshness?: Freshness | undefined }): void {
    this.read(dataset);
    if (freshness !== undefined) this.refresh(dataset);
  }

  refresh(dataset: string): void {
    if (!this.#may.refresh?.(dataset)) throw notAllowed(`have the dataset "${dataset}" refreshed`);
  }

  load(dataset: string, source: LoadedSource): void {
    if (!this.#may.load?.(dataset, source)) throw notAllowed(`load into the dataset "${dataset}"`);
  }

  delete(dataset: string): void {
    if (!this.#may.delete?.(dataset)) throw notAllowed(`delete the dataset "${dataset}"`);
  }

  operations(): void {
    if (this.#may.operations !== true) throw notAllowed("see operations");
  }

  /** Others may have a part in what one's own operation does. */
  cancelForEverybody(): void {
    if (this.#may.operations !== true) throw notAllowed("cancel the operations of others");
  }

  /** Another's operation is as one that is not there, so that nobody learns of it. */
  own<O extends { readonly requestedBy: string }>(operation: O | undefined, id: string): O {
    if (operation !== undefined && (this.#may.operations === true || this.isOwn(operation))) return operation;
    throw new DroverError({
      reason: "OPERATION_NOT_FOUND",
      message: `there is no operation "${id}"`,
      code: status.NOT_FOUND,
    });
  }

  isOwn(operation: { readonly requestedBy: string } | undefined): boolean {
    return operation?.requestedBy === this.endUser;
  }

  driver(): void {
    if (this.#may.driver !== true) throw notAllowed("see the driver");
  }
}

function notAllowed(what: string): DroverError {
  return clientError("NOT_ALLOWED", `you may not ${what}`);
}

/** Everything that is not printable ASCII is percent-encoded, and so is the percent sign: no two users become one. */
function asciiName(user: string): string {
  const name = user.toWellFormed().replace(/[^\x20-\x7e]|%/gu, encodeURIComponent);
  if (name.trim() === name && name.length >= 1 && name.length <= longestName) return name;
  throw clientError(
    "INVALID_ARGUMENT",
    `the end user's name is empty, longer than ${longestName} or begins or ends with a space`,
  );
}
