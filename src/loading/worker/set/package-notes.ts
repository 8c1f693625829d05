import type { PackageVersion } from "../../../library-sets/model.ts";

/** A package and its folder in the set. */
export interface PlacedPackage extends PackageVersion {
  readonly path: string;
}

/** Takes note of the packages of a set whose code this process runs. */
export class PackageNotes {
  readonly #byPath: ReadonlyMap<string, PlacedPackage>;
  readonly #used = new Map<string, PackageVersion>();

  constructor(packages: readonly PlacedPackage[]) {
    this.#byPath = new Map(packages.map((placed) => [placed.path, placed]));
  }

  /** The package that a file of the set belongs to; undefined for one that lies beside them all. */
  packageOf(file: string): PlacedPackage | undefined {
    const [folder] = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
    return folder === undefined ? undefined : this.#byPath.get(folder);
  }

  /** Told of every module that is loaded. */
  note(file: string): void {
    const found = this.packageOf(file);
    if (found !== undefined) this.#used.set(found.path, { name: found.name, version: found.version });
  }

  /** By name; a package that the set holds twice is there with each of its versions. */
  get used(): readonly PackageVersion[] {
    const unique = new Map([...this.#used.values()].map((used) => [`${used.name}@${used.version}`, used]));
    return [...unique.values()].sort(
      (one, other) => compare(one.name, other.name) || compare(one.version, other.version),
    );
  }
}

/** By code units, not by a locale: the same on every machine. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
