import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { librarySetsFolder } from "../../src/library-sets/layout.ts";
import type { LibrarySet, LibrarySetManifest, SetConnector } from "../../src/library-sets/model.ts";
import { PublishedSets } from "../../src/library-sets/published-sets.ts";
import { sealTree } from "../../src/library-sets/tree.ts";
import { librarySet } from "./set-manifests.ts";

/** A package's files by path; `package.json` is made of its name and version where there is none. */
export type PackageFiles = Readonly<Record<string, string>>;

export interface FolderSetOptions {
  /** Packages by their folder below `node_modules`; `NAME@VERSION` makes each. */
  readonly packages?: Readonly<Record<string, PackageFiles>>;
  /** Packages of `test/fixtures/packages`, under the names that they give themselves, with the connectors that they declare. */
  readonly fixtures?: readonly string[];
  /** Packages as this repository has them installed. */
  readonly installed?: readonly string[];
  /** The module of each kind, as a path below `node_modules`. */
  readonly connectors?: Readonly<Record<string, string>>;
}

const FIXTURES = join(import.meta.dirname, "..", "fixtures", "packages");

const INSTALLED = join(import.meta.dirname, "..", "..", "node_modules");

/** Makes a set of files in a data directory, with a manifest that says what they are. */
export async function folderSet(
  dataDirectory: string,
  name: string,
  { packages = {}, fixtures = [], installed = [], connectors = {} }: FolderSetOptions,
): Promise<LibrarySet> {
  const { signal } = new AbortController();
  const made = join(dataDirectory, `set-${name}`);
  const modules = join(made, "node_modules");
  const offered: Record<string, string> = { ...connectors };
  await mkdir(made, { recursive: true });
  for (const [id, files] of Object.entries(packages)) {
    const [, packageName = "", version = ""] = /^(.+)@([^@]+)$/.exec(id) ?? [];
    const all = { "package.json": JSON.stringify({ name: packageName, version }), ...files };
    for (const [path, text] of Object.entries(all)) {
      const file = join(modules, packageName, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
  }
  for (const fixture of fixtures) {
    const from = join(FIXTURES, fixture);
    const { name: packageName, drover } = JSON.parse(await readFile(join(from, "package.json"), "utf8"));
    await cp(from, join(modules, packageName), { recursive: true });
    for (const [kind, module] of Object.entries<string>(drover.connectors)) offered[kind] = join(packageName, module);
  }
  for (const packageName of installed)
    await cp(join(INSTALLED, packageName), join(modules, packageName), { recursive: true });
  const found = await packagesIn(made);
  const manifest: Partial<LibrarySetManifest> = {
    packages: found,
    connectors: Object.entries(offered).map(([kind, module]) => connectorOf(kind, module, found)),
    files: await sealTree(made, { signal }),
  };
  const { manifest: whole, ...named } = librarySet(name, "0", manifest);
  await mkdir(librarySetsFolder(dataDirectory), { recursive: true });
  const published = new PublishedSets(dataDirectory);
  return { ...named, hash: await published.publish(made, whole, { signal }), manifest: whole };
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
