import { readFile, realpath, stat } from "node:fs/promises";
import type { ConnectionOptions } from "node:tls";
import { DriverError } from "../../errors/driver-error.ts";
import { requireAllowed } from "../path-roots.ts";
import type { TlsSettings } from "./connection-options.ts";

/**
 * What Node's TLS needs to ask for what the settings say; undefined for `disable`. The files lie under the folders that
 * clients may name. Throws TLS_INVALID, PATH_NOT_ALLOWED.
 */
export async function tlsOptions(
  settings: TlsSettings,
  { host, fileRoots }: { readonly host: string; readonly fileRoots: readonly string[] | undefined },
): Promise<ConnectionOptions | undefined> {
  const { mode, caFile, certFile, keyFile } = settings;
  if (mode === "disable") return undefined;
  const [ca, cert, key] = await Promise.all(
    [caFile, certFile, keyFile].map((path) =>
      path === undefined ? undefined : pem(path, { fileRoots, secret: path === keyFile }),
    ),
  );
  const verify = mode === "verify-ca" || mode === "verify-full";
  return {
    // An address can't be a server name.
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    rejectUnauthorized: verify,
    ...(mode === "verify-ca" && { checkServerIdentity: () => undefined }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/** What others may do with a file; a group may read it, as packages set keys up. */
const OTHERS = 0o027;

export interface PemOptions {
  readonly fileRoots: readonly string[] | undefined;
  /** Whether nobody else may read it. */
  readonly secret: boolean;
}

async function pem(path: string, options: PemOptions): Promise<Buffer> {
  await requirePem(path, options);
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Answers the file's real path. Throws TLS_INVALID, PATH_NOT_ALLOWED. */
export async function requirePem(path: string, { fileRoots, secret }: PemOptions): Promise<string> {
  try {
    const real = await realpath(path);
    requireAllowed(real, path, fileRoots);
    if (secret && ((await stat(path)).mode & OTHERS) !== 0)
      throw new DriverError("TLS_INVALID", `${path} may be read by others than its owner: its mode should be 0600`, {
        metadata: { file: path },
      });
    return real;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return new DriverError("TLS_INVALID", `${path} can't be read: ${code}`, { metadata: { file: path }, cause: error });
}
