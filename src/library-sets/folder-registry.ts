import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { isCode } from "../datasets/files.ts";
import { DriverError } from "../errors/driver-error.ts";
import { damaged, inspectTarball } from "./npm/tarball.ts";
import { isExactVersion, isPackageName } from "./package-version.ts";

/** A package of the folder. */
interface FolderPackage {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  readonly file: string;
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** A registry that knows nothing but a folder's packages. */
export interface FolderRegistry extends AsyncDisposable {
  readonly url: string;
  /** Of each package those that are there, to tell people. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
}

const MAX_PACKAGES = 10_000;

/**
 * Serves a folder of `.tgz` files as a registry, on loopback and for the time of an install: so npm resolves and checks as it
 * does with any other. Throws PACKAGE_NOT_FOUND, PACKAGE_DAMAGED, PACKAGE_UNSAFE.
 */
export async function openFolderRegistry(
  folder: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<FolderRegistry> {
  const packages = await packagesIn(folder, { signal });
  const byName = Map.groupBy(packages, ({ name }) => name);
  const server = createServer((request, response) => answer(byName, request, response));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    versions: new Map([...byName].map(([name, found]) => [name, found.map(({ version }) => version)])),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function packagesIn(
  folder: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly FolderPackage[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw isCode(error, "ENOENT") || isCode(error, "ENOTDIR") || isCode(error, "EACCES")
      ? new DriverError("PACKAGE_NOT_FOUND", `${folder} is no folder that the driver can read`, { cause: error })
      : error;
  });
  const tarballs = entries.filter(({ name }) => name.endsWith(".tgz"));
  // A link may lead out of the folder, and a pipe has no end.
  const other = tarballs.find((entry) => !entry.isFile());
  if (other !== undefined)
    throw damaged(other.name, "is no package: it is no regular file, but a link, folder or pipe");
  const files = tarballs.map(({ name }) => name).sort();
  if (files.length === 0) throw new DriverError("PACKAGE_NOT_FOUND", `${folder} holds no packages (.tgz)`);
  if (files.length > MAX_PACKAGES)
    throw new DriverError("INVALID_LIBRARY_SET", `${folder} holds more than ${MAX_PACKAGES} packages`);
  const found = new Map<string, FolderPackage>();
  for (const file of files) {
    const each = await packageOf(folder, file, { signal });
    const id = `${each.name}@${each.version}`;
    const other = found.get(id);
    if (other !== undefined && other.integrity !== each.integrity)
      throw damaged(file, `and ${other.file} both are ${id}, with different content`);
    found.set(id, each);
  }
  return [...found.values()];
}

async function packageOf(
  folder: string,
  file: string,
  options: { readonly signal: AbortSignal },
): Promise<FolderPackage> {
  const path = join(folder, file);
  const { integrity, manifest: text } = await inspectTarball(path, file, options);
  const manifest = manifestOf(text);
  const { name, version } = manifest ?? {};
  if (manifest === undefined || typeof name !== "string" || typeof version !== "string")
    throw damaged(file, "is no package: it has no package.json with a name and a version");
  if (!isPackageName(name) || !isExactVersion(version)) throw damaged(file, "has a name or version that is none");
  return { name, version, integrity, file: path, manifest };
}

function manifestOf(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

type ByName = ReadonlyMap<string, readonly FolderPackage[]>;

function answer(byName: ByName, request: IncomingMessage, response: ServerResponse): void {
  const [, name = "", version] = /^\/(.+?)(?:\/-\/(.+)\.tgz)?$/.exec(decoded(request.url ?? "")) ?? [];
  const found = byName.get(name) ?? [];
  const file = found.find((each) => each.version === version)?.file;
  if (file !== undefined) sendFile(response, file);
  else if (found.length > 0 && version === undefined)
    send(response, 200, packument(name, found, `http://${request.headers.host}`));
  else send(response, 404, { error: "not found" });
}

function sendFile(response: ServerResponse, file: string): void {
  response.writeHead(200, { "content-type": "application/octet-stream" });
  createReadStream(file)
    .on("error", () => response.destroy())
    .pipe(response);
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return "";
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** What a registry says of a package. */
function packument(name: string, found: readonly FolderPackage[], origin: string): object {
  const versions = found.map(({ version, integrity, manifest }) => {
    const tarball = `${origin}/${name.replace("/", "%2f")}/-/${version}.tgz`;
    return [version, { ...manifest, dist: { tarball, integrity } }] as const;
  });
  return { name, "dist-tags": { latest: versions.at(-1)?.[0] }, versions: Object.fromEntries(versions) };
}
