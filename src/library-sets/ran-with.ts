import type { LibrarySet, PackageVersion } from "./model.ts";

/** What a load ran with. */
export interface RanWith {
  /** Absent for the built-in set. */
  readonly set?: Pick<LibrarySet, "name" | "hash">;
  /** Those whose code its workers have run, by name. */
  readonly packages: readonly PackageVersion[];
}

/** What of it is worth remembering: files are read without any package. */
export function remembered(ranWith: RanWith): { readonly libraries?: RanWith } {
  return ranWith.set === undefined && ranWith.packages.length === 0 ? {} : { libraries: ranWith };
}
