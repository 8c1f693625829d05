import type { DriverError } from "../errors/driver-error.ts";
import type { KindDescriptor } from "../sources/connector.ts";

/** What a manifest of this build looks like. */
export const MANIFEST_FORMAT = 1;

/** A package at an exact version. */
export interface PackageVersion {
  readonly name: string;
  readonly version: string;
}

/** A package that a set holds, wherever in it. */
export interface LibraryPackage extends PackageVersion {
  /** Its folder in the set: `node_modules/pg`. */
  readonly path: string;
  /** The hash that the registry or the lockfile gave, and that its bytes had: `sha512-…`. Undefined for one inside of another's. */
  readonly integrity?: string;
  /** As it says itself; undefined where it says none. */
  readonly license?: string;
  /** Whether the administrator named it; else it is there because another one needs it. */
  readonly direct: boolean;
  /** The programs that it says it needs: `{ node: ">=18" }`. */
  readonly engines?: Readonly<Record<string, string>>;
  /** Packages that it says must be beside it; those that may be missing are not here. */
  readonly peerDependencies?: Readonly<Record<string, string>>;
  /** Whether it has install scripts, and what became of them. */
  readonly scripts: "none" | "skipped" | "ran";
}

/** A connector that a package of the set offers. */
export interface SetConnector {
  readonly kind: string;
  readonly package: string;
  readonly version: string;
  /** Of the connector interface that it was made for. */
  readonly interface: number;
  /** Its module's path in the set: `node_modules/acme-connector/dist/connector.js`. */
  readonly module: string;
  readonly descriptor: KindDescriptor;
}

/** Value parsers (`js:NAME`) that a package of the set offers. */
export interface SetParsers {
  readonly package: string;
  readonly version: string;
  /** The module's path in the set. */
  readonly module: string;
}

export interface SetFile {
  /** In the set's folder, with `/` between names. */
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Values of options by their names, for each connector kind. */
export type KindSettings = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** All that a set is. Its hash is the set's: what is not in here, such as the name, makes no other set. */
export interface LibrarySetManifest {
  readonly format: typeof MANIFEST_FORMAT;
  /** What the administrator named, by name. */
  readonly asked: readonly PackageVersion[];
  /** By path. */
  readonly packages: readonly LibraryPackage[];
  /** What sources of a kind get where they don't say it themselves. */
  readonly settings: KindSettings;
  /** By kind. */
  readonly connectors: readonly SetConnector[];
  readonly parsers: readonly SetParsers[];
  /** All files but the manifest, by path. */
  readonly files: readonly SetFile[];
  /** `linux-x64`, where what the set holds depends on the machine; undefined where it runs anywhere. */
  readonly platform?: string;
}

/** What a name points to. */
export interface LibrarySetPointer {
  readonly name: string;
  /** Of the manifest: 64 hexadecimal digits. */
  readonly hash: string;
  readonly createTime: Date;
  readonly createdBy: string;
}

/** A library set under its name. */
export interface LibrarySet extends LibrarySetPointer {
  readonly manifest: LibrarySetManifest;
}

/** A name whose set can't be read: it can be deleted, or be given to another one. */
export interface DamagedSet extends LibrarySetPointer {
  readonly problem: DriverError;
}

/** Where the packages of a new set come from. */
export type PackageOrigin =
  /** Undefined: the one of the driver's setting, else of npm's own configuration. */
  | { readonly type: "registry"; readonly url: string | undefined }
  /** A folder of `.tgz` files on the driver's machine; nothing else is asked. */
  | { readonly type: "folder"; readonly path: string };

/** What a new set is to hold. */
export interface LibrarySetDraft {
  readonly name: string;
  /** Empty with a lockfile, which says them. */
  readonly packages: readonly PackageVersion[];
  readonly settings: KindSettings;
  readonly origin: PackageOrigin;
  /** A `package-lock.json`'s text: then nothing is resolved. */
  readonly lockfile: string | undefined;
  /** Packages whose install scripts may run. */
  readonly allowScripts: readonly string[];
  /** Whether the name may point to another set by now. */
  readonly replace: boolean;
  readonly createdBy: string;
}

export type InstallPhase = "resolving" | "fetching" | "scripts" | "checking" | "publishing";

export interface InstallProgress {
  readonly phase: InstallPhase;
  /** Packages that are there, of how many; 0 while that is unknown. */
  readonly packages: number;
  readonly totalPackages: number;
}

export interface InstallOptions {
  readonly signal: AbortSignal;
  onProgress?(progress: InstallProgress): void;
}

/** A set's archive, piece by piece. */
export interface ImportOptions {
  readonly name: string;
  readonly replace: boolean;
  readonly createdBy: string;
  readonly signal: AbortSignal;
}

/** The library sets of a data directory, for every driver of it. */
export interface LibrarySetStore {
  /** Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED. */
  byName(name: string): Promise<LibrarySet>;
  /** A set whatever its name, or although it has none any more. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED. */
  byHash(hash: string): Promise<LibrarySetManifest>;
  /** By name; what is wrong with one is no error. */
  list(): Promise<readonly (LibrarySet | DamagedSet)[]>;
  /** A set with the text of its `package-lock.json`; what is wrong with it is no error. Throws LIBRARY_SET_NOT_FOUND. */
  look(name: string): Promise<(LibrarySet & { readonly lockfile: string }) | DamagedSet>;
  /** Where a set's files are; it need not be there. */
  folderOf(hash: string): string;
  /** Reads every file of the set. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED. */
  verify(hash: string, options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Installs packages and gives the set a name; nothing of it is seen before all of it is there. The same packages under the same
   * name once more are the same set. Throws LIBRARY_SET_EXISTS, INVALID_LIBRARY_SET, PACKAGE_NOT_FOUND and its neighbours, DISK_FULL.
   */
  create(draft: LibrarySetDraft, options: InstallOptions): Promise<LibrarySet>;
  /**
   * Takes the name away. The files stay for whoever works with them. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_IN_USE, and
   * DEFINITION_CHANGED where somebody gives the name to another set at this moment.
   */
  remove(name: string, options: { readonly signal: AbortSignal }): Promise<void>;
  /** The set as one archive, for another data directory. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED. */
  export(name: string, options: { readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
  /** Takes an archive. Throws INVALID_ARCHIVE, LIBRARY_SET_EXISTS, LIBRARY_SET_INCOMPATIBLE, DISK_FULL. */
  import(archive: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<LibrarySet>;
  /** Removes what dead processes have left of installs, and sets without a name, each where `unlessUsed` lets it be taken away. */
  sweep(unlessUsed: UnlessUsed): Promise<void>;
}

/**
 * Finds out what a set's packages offer, once they are installed in a folder and before the set is published. Throws
 * CONNECTOR_INVALID, CONNECTOR_INTERFACE_UNKNOWN.
 */
export type DescribeSet = (
  set: { readonly folder: string; readonly packages: readonly LibraryPackage[] },
  options: { readonly signal: AbortSignal },
) => Promise<Pick<LibrarySetManifest, "connectors" | "parsers">>;

/** Has a set taken away, by one quick step, unless a living driver works with it. */
export type UnlessUsed = (hash: string, takeAway: () => Promise<void>) => Promise<unknown>;

/** Who needs a set, in words, one each: `driver 7 of profile "default"`, `setting librarySets.kinds.postgres`. */
export type FindUsers = (set: LibrarySetPointer) => Promise<readonly string[]>;

/** The built-in kinds with their client libraries: a set that holds one of these serves the kind with it. */
export const CLIENT_LIBRARIES: Readonly<Record<string, ClientLibraries>> = {
  postgres: { library: "pg", companions: ["pg-copy-streams", "pg-cursor"] },
  mysql: { library: "mysql2", companions: [] },
};

export interface ClientLibraries {
  readonly library: string;
  /** What is used with it, of the set or else the driver's own. */
  readonly companions: readonly string[];
}

/** The kinds of source that can be read with a set. */
export function kindsOf({ connectors, packages }: Pick<LibrarySetManifest, "connectors" | "packages">): string[] {
  const names = new Set(packages.filter(({ path, name }) => path === `node_modules/${name}`).map(({ name }) => name));
  const builtIn = Object.entries(CLIENT_LIBRARIES).flatMap(([kind, { library }]) => (names.has(library) ? [kind] : []));
  return [...new Set([...builtIn, ...connectors.map(({ kind }) => kind)])].sort();
}
