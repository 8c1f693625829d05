import packageJson from "../../package.json" with { type: "json" };

/** The libraries that the built-in connectors speak to servers with, and that a library set may hold in other versions. */
const bundled = {
  mysql2: async () => (await import("mysql2")).default,
  pg: async () => (await import("pg")).default,
  "pg-copy-streams": async () => (await import("pg-copy-streams")).default,
  "pg-cursor": async () => (await import("pg-cursor")).default,
};

type Name = keyof typeof bundled;
type Library<N extends Name> = Awaited<ReturnType<(typeof bundled)[N]>>;

/** What is loaded of a library set in place of a bundled one; undefined where the set has none of this name. */
export type FindLibrary = (name: string) => unknown;

let findInSet: FindLibrary = () => undefined;
const loaded = new Set<Name>();

/** For the whole process, since a worker runs with one library set from its start to its end. */
export function preferLibraries(find: FindLibrary): void {
  findInSet = find;
}

/** A client library: the one of the worker's library set, else the one that the driver brings along. */
export async function clientLibrary<N extends Name>(name: N): Promise<Library<N>> {
  // Whoever makes a set chooses the version, so its type is a promise of the library's author.
  const own = findInSet(name) as Library<N> | undefined;
  if (own !== undefined) return own;
  const library = (await bundled[name]()) as Library<N>;
  loaded.add(name);
  return library;
}

/** The versions that the driver brings along. */
export function ownLibraries(): Readonly<Record<Name, string>> {
  const versions = Object.keys(bundled).map((name) => [name, packageJson.dependencies[name as Name]]);
  return Object.fromEntries(versions) as Record<Name, string>;
}

/** The bundled libraries that this process has loaded, by name. */
export function bundledLibraries(): readonly { readonly name: string; readonly version: string }[] {
  return [...loaded].sort().map((name) => ({ name, version: packageJson.dependencies[name] }));
}
