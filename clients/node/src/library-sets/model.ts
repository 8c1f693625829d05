import type { DroverError } from "../errors.ts";
import type { PackageVersion, Source } from "../model.ts";
import type { CallOptions } from "../transport/transport.ts";

/** What sources get where they don't say it themselves: values of options by kind of source and option. */
export type KindSettings = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What a new library set shall hold. */
export interface LibrarySetDraft {
  readonly name: string;
  /** Those that these need come along. May be left out with a lockfile. */
  readonly packages?: readonly PackageVersion[] | undefined;
  readonly settings?: KindSettings | undefined;
  /** A registry's URL. Default: the one of the driver's setting, else of npm's configuration there. */
  readonly registry?: string | undefined;
  /** A folder of `.tgz` files on the driver's machine, in place of a registry. */
  readonly folder?: string | undefined;
  /** The text of a `package-lock.json`: exactly that is installed. */
  readonly lockfile?: string | undefined;
  /** Packages whose install scripts may run. */
  readonly allowScripts?: readonly string[] | undefined;
}

/** Whether a name may point to another set by now. */
export interface ReplaceOptions extends CallOptions {
  /** Default: false, and a name that is taken fails with LIBRARY_SET_EXISTS unless it is the same set. */
  readonly replace?: boolean | undefined;
}

export interface CreateLibrarySetOptions extends ReplaceOptions {
  readonly onProgress?: ((progress: InstallProgress) => void) | undefined;
}

/** `unknown` is a phase of a newer driver. */
export type InstallPhase = "resolving" | "fetching" | "checking" | "scripts" | "publishing" | "unknown";

/** How far an install is. */
export interface InstallProgress {
  readonly phase: InstallPhase;
  readonly packages: number;
  /** Undefined while it is not known. */
  readonly totalPackages: number | undefined;
}

/** A library set, in short. */
export interface LibrarySetSummary {
  readonly name: string;
  /** Of all that it holds: two sets of one hash are the same. */
  readonly hash: string;
  readonly createTime: Date | undefined;
  readonly createdBy: string;
  /** What was asked for. */
  readonly asked: readonly PackageVersion[];
  readonly settings: KindSettings;
  /** The kinds of source that can be read with it. */
  readonly kinds: readonly string[];
  readonly connectors: readonly LibraryConnector[];
  /** Packages that offer value parsers. */
  readonly parsers: readonly PackageVersion[];
  /** Undefined where it runs anywhere. */
  readonly platform: string | undefined;
  readonly packageCount: number;
  readonly files: number;
  readonly bytes: number;
  /** Why it can't be read: then nothing but its name is sure. It can be deleted, or made again with `replace`. */
  readonly problem: DroverError | undefined;
}

/** A library set with all of its packages. */
export interface LibrarySet extends LibrarySetSummary {
  readonly packages: readonly LibraryPackage[];
}

export interface LibraryConnector {
  readonly kind: string;
  readonly package: string;
  readonly version: string;
  /** Of the connector interface that it was made for. */
  readonly interface: number;
  readonly summary: string;
}

export interface LibraryPackage extends PackageVersion {
  /** Its folder in the set. */
  readonly path: string;
  /** Undefined for one that lies in another one's. */
  readonly integrity: string | undefined;
  readonly license: string | undefined;
  /** Whether it was asked for; else another one needs it. */
  readonly direct: boolean;
  readonly scripts: "none" | "skipped" | "ran" | "unknown";
  readonly engines: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/** What a check of a set found. */
export interface LibrarySetCheck {
  readonly librarySet: LibrarySet;
  /** The version of Node that workers run on. */
  readonly nodeVersion: string;
  readonly kinds: readonly CheckedKind[];
  /** Functions that packages offer as value parsers. */
  readonly parsers: readonly { readonly package: string; readonly functions: readonly string[] }[];
  /** Undefined where no source was given, or its test failed. */
  readonly source: { readonly kind: string; readonly description: string } | undefined;
  /** Errors first. */
  readonly problems: readonly LibraryProblem[];
}

export interface CheckedKind {
  readonly kind: string;
  /** Whether its connector could be loaded; else a problem says why not. */
  readonly loads: boolean;
  /** The packages whose code ran for that, the driver's own included. */
  readonly packages: readonly PackageVersion[];
}

/** Something that should be known of a set before it is used. */
export interface LibraryProblem {
  /** `unknown` is one of a newer driver. */
  readonly severity: "error" | "warning" | "unknown";
  /** What it is about: `pg@8.11.3`, `kind acme`, a source. */
  readonly subject: string;
  readonly message: string;
  /** Why something failed; undefined for what is known without a trial. */
  readonly reason: string | undefined;
}

export interface CheckLibrarySetOptions extends CallOptions {
  /** A source to be tested as it would be read with the set. */
  readonly source?: Source | undefined;
}
