import type { SourceTest } from "../../sources/connector.ts";
import type { LibrarySet, PackageVersion } from "../model.ts";

/** Something that an administrator should know of a set before it is used. */
export interface Problem {
  /** `error`: something does not work; `warning`: it may. */
  readonly severity: "error" | "warning";
  /** What it is about: `pg@8.11.3`, `kind acme`, `source sales`. */
  readonly subject: string;
  readonly message: string;
  /** Of the catalogue, where something failed. */
  readonly reason?: string;
}

/** A kind of source that was loaded with the set. */
export interface CheckedKind {
  readonly kind: string;
  /** Whether its connector could be loaded. */
  readonly loads: boolean;
  /** Packages whose code ran for that, those of the driver included. */
  readonly packages: readonly PackageVersion[];
}

/** Functions that a package offers as value parsers. */
export interface CheckedParsers {
  readonly package: string;
  readonly functions: readonly string[];
}

/** What became of the test of a source. */
export interface CheckedSource {
  readonly kind: string;
  /** Undefined where it failed; a problem says why. */
  readonly test: SourceTest | undefined;
}

export interface SetCheck {
  readonly set: LibrarySet;
  /** The version of Node that workers run on. */
  readonly node: string;
  readonly kinds: readonly CheckedKind[];
  readonly parsers: readonly CheckedParsers[];
  readonly source: CheckedSource | undefined;
  /** Errors first. */
  readonly problems: readonly Problem[];
}
