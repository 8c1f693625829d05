import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setFolder } from "../../src/library-sets/layout.ts";
import type { LibrarySet, LibrarySetManifest, SetConnector } from "../../src/library-sets/model.ts";
import { canonicalJson } from "../../src/operations/identity.ts";
import { librarySet } from "./set-manifests.ts";

/** A package's files by path; `package.json` is made of its name and version where there is none. */
export type PackageFiles = Readonly<Record<string, string>>;

export interface FolderSetOptions {
  /** Packages by their folder below `node_modules`; `NAME@VERSION` makes each. */
  readonly packages?: Readonly<Record<string, PackageFiles>>;
  /** A `node_modules` folder that is moved into the set. */
  readonly installed?: string;
  /** The module of each kind, as a path below `node_modules`. */
  readonly connectors?: Readonly<Record<string, string>>;
}

/** Makes a set of files in a data directory, with a manifest that says what they are. */
export async function folderSet(
  dataDirectory: string,
  name: string,
  { packages = {}, installed, connectors = {} }: FolderSetOptions,
): Promise<LibrarySet> {
  const made = join(dataDirectory, `set-${name}`);
  const modules = join(made, "node_modules");
  await mkdir(made, { recursive: true });
  if (installed !== undefined) await rename(installed, modules);
  for (const [id, files] of Object.entries(packages)) {
    const [, packageName = "", version = ""] = /^(.+)@([^@]+)$/.exec(id) ?? [];
    const all = { "package.json": JSON.stringify({ name: packageName, version }), ...files };
    for (const [path, text] of Object.entries(all)) {
      const file = join(modules, packageName, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
  }
  const found = await packagesIn(made);
  const manifest: Partial<LibrarySetManifest> = {
    packages: found,
    connectors: Object.entries(connectors).map(([kind, module]) => connectorOf(kind, module, found)),
    files: await filesIn(made),
  };
  const { manifest: whole, ...named } = librarySet(name, "0", manifest);
  const hash = createHash("sha256").update(canonicalJson(whole)).digest("hex");
  await mkdir(dirname(setFolder(dataDirectory, hash)), { recursive: true });
  await rename(made, setFolder(dataDirectory, hash));
  return { ...named, hash, manifest: whole };
}

function connectorOf(kind: string, module: string, packages: LibrarySetManifest["packages"]): SetConnector {
  const path = `node_modules/${module}`;
  const owner = packages.find((each) => path.startsWith(`${each.path}/`));
  return {
    ...{ kind, package: owner?.name ?? "", version: owner?.version ?? "", interface: 1, module: path },
    descriptor: { kind, summary: "", extensions: [kind], options: {} },
  };
}

async function packagesIn(folder: string): Promise<LibrarySetManifest["packages"]> {
  const all = await readdir(folder, { recursive: true });
  const files = all.filter((path) => /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path)).sort();
  return Promise.all(
    files.map(async (file) => {
      const { name, version } = JSON.parse(await readFile(join(folder, file), "utf8"));
      return { name, version, path: dirname(file), integrity: "", direct: true, scripts: "none" } as const;
    }),
  );
}

async function filesIn(folder: string): Promise<LibrarySetManifest["files"]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Promise.all(
    paths.sort().map(async (path) => {
      const bytes = await readFile(path);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return { path: path.slice(folder.length + 1), sha256, bytes: bytes.length };
    }),
  );
}
