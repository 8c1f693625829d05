import { mkdir, realpath, rm, symlink } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { makeOwnFolder } from "../../config/own-folder.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { errorToJson } from "../../errors/error-json.ts";
import type { Source } from "../../sources/connector.ts";
import type { TlsSettings } from "../../sources/database/connection-options.ts";
import { requirePem } from "../../sources/database/tls-files.ts";
import { sourceKinds } from "../../sources/kinds.ts";
import { isBelow } from "../../sources/path-roots.ts";
import { findLocalFiles } from "../../sources/source-files.ts";

/** What sources may name. */
export interface FileReach {
  readonly fileRoots: readonly string[] | undefined;
  readonly reserved: readonly string[];
}

/**
 * The files that a lease's sources name, for a worker that may open nothing of the machine: what a process may read is said when it
 * starts, and not which sources will be read through it. So the driver finds and checks the files, and puts links to them into a folder
 * of that worker's, which Node lets it follow; they go when the lease ends. The worker may not write there: through a link it would write
 * into the file, and what it put in a link's or a folder's place the driver would take for its own.
 */
export class HandedFiles implements AsyncDisposable {
  readonly #lentFolder: string;
  readonly #reach: FileReach;
  #folder: Promise<string> | undefined;
  #links = 0;

  constructor(lentFolder: string, reach: FileReach) {
    this.#lentFolder = lentFolder;
    this.#reach = reach;
  }

  /** The parameters of a call with what their source names. Throws TLS_INVALID, PATH_NOT_ALLOWED. */
  async inParams<P extends object>(params: P, { signal }: { readonly signal: AbortSignal }): Promise<P> {
    if (!("source" in params)) return params;
    const source = params.source as Source;
    const found = isLocal(source) ? { found: await this.#found(source, signal) } : {};
    const paths = await this.#pems(source);
    return { ...params, source: { ...source, ...serverWith(source, paths), handed: { ...found, paths } } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const folder = await this.#folder?.catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }

  /** Whoever needs no files is not told that there are none. */
  async #found(source: Source, signal: AbortSignal): Promise<NonNullable<Source["handed"]>["found"]> {
    try {
      const origins = await findLocalFiles(source, { ...this.#reach, signal });
      const files = [];
      for (const { path, shownAs = path, ...state } of origins)
        files.push({ ...state, shownAs, path: await this.#link(path) });
      return { files };
    } catch (error) {
      signal.throwIfAborted();
      return { error: errorToJson(DriverError.from(error)) };
    }
  }

  async #pems(source: Source): Promise<Record<string, string>> {
    const tls = tlsOf(source);
    const paths: Record<string, string> = {};
    for (const path of [tls?.caFile, tls?.certFile, tls?.keyFile]) {
      if (path === undefined || tls?.mode === "disable") continue;
      const real = await requirePem(path, { ...this.#reach, secret: path === tls?.keyFile });
      if (this.#reach.reserved.some((own) => isBelow(real, own)))
        throw new DriverError("PATH_NOT_ALLOWED", `${path} belongs to the driver itself`, { metadata: { path } });
      paths[path] = await this.#link(real);
    }
    return paths;
  }

  /** Names stay as they are: their endings tell what is in the files. */
  async #link(path: string): Promise<string> {
    this.#folder ??= makeOwnFolder(this.#lentFolder, "files-");
    const place = join(await this.#folder, String(++this.#links));
    await mkdir(place);
    const link = join(await realpath(place), basename(path));
    await symlink(path, link);
    return link;
  }
}

/** As the kinds of the driver say it themselves; those of packages have options of the same names. */
function tlsOf({ kind, server }: Source): Partial<TlsSettings> | undefined {
  const known = sourceKinds.find((each) => each.kind === kind);
  if (known !== undefined) return server && known.tls?.(server);
  const { tlsCaFile, tlsCertFile, tlsKeyFile } = server?.options ?? {};
  const path = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  return { caFile: path(tlsCaFile), certFile: path(tlsCertFile), keyFile: path(tlsKeyFile) };
}

/** Code of packages takes the paths as they stand in the options. */
function serverWith({ kind, server }: Source, paths: Readonly<Record<string, string>>): Pick<Source, "server"> {
  if (server === undefined || sourceKinds.some((each) => each.kind === kind)) return {};
  const options = Object.entries(server.options).map(([name, value]) => [
    name,
    /^tls(?:Ca|Cert|Key)File$/.test(name) && typeof value === "string" ? (paths[value] ?? value) : value,
  ]);
  return { server: { ...server, options: Object.fromEntries(options) } };
}

function isLocal({ server, uri }: Source): boolean {
  return server === undefined && (isAbsolute(uri) || /^file:/i.test(uri));
}
