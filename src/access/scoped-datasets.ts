import type { DatasetInfo, DatasetStore, VersionManifest } from "../datasets/model.ts";
import type { Access, Restriction } from "./model.ts";
import { findGranted, requireGranted, withoutHint } from "./require.ts";

/** A version as somebody sees it: what tells of rows and columns that he doesn't see is left out, and then `partial`. */
export interface SeenVersion extends VersionManifest {
  readonly partial?: true;
}

export interface SeenDataset extends DatasetInfo {
  readonly current: SeenVersion;
}

/** The datasets that somebody may see, as he sees them. */
export interface ScopedDatasets {
  /** Throws DATASET_NOT_FOUND, VERSION_DAMAGED. */
  get(name: string): SeenDataset;
  list(filter: { readonly labels: Readonly<Record<string, string>> }): readonly SeenDataset[];
  /** Throws DATASET_NOT_FOUND. */
  versions(name: string): Promise<readonly SeenVersion[]>;
}

export function scopedDatasets(store: Pick<DatasetStore, "get" | "list" | "versions">, access: Access): ScopedDatasets {
  const seen = (info: DatasetInfo): SeenDataset => {
    const restriction = access.restriction(info.name);
    return restriction === undefined ? info : partOfDataset(info, restriction);
  };
  return {
    get: (name) => {
      requireGranted(access, name);
      try {
        return seen(store.get(name));
      } catch (error) {
        throw withoutHint(access, name, error);
      }
    },
    list: (filter) =>
      store
        .list(filter)
        .filter(({ name }) => access.mayRead(name))
        .map(seen),
    versions: async (name) => {
      const restriction = access.restriction(name);
      const versions = await findGranted(access, name, () => store.versions(name));
      return restriction === undefined ? versions : versions.map((version) => partOfVersion(version, restriction));
    },
  };
}

function partOfDataset({ levelProblem: _, ...info }: DatasetInfo, restriction: Restriction): SeenDataset {
  return { ...info, current: partOfVersion(info.current, restriction), residentBytes: 0 };
}

/** Counts, sizes and the source tell of rows that are filtered away; warnings, filters and parsers name columns. */
function partOfVersion(version: VersionManifest, restriction: Restriction): SeenVersion {
  const { readTime, restoredFrom } = version.lineage;
  return {
    formatVersion: version.formatVersion,
    number: version.number,
    createTime: version.createTime,
    columns: version.columns.filter(({ name }) => !restriction.hides(name)),
    segments: [],
    rows: 0,
    bytes: 0,
    sourceBytes: 0,
    rejectedRows: 0,
    warnings: [],
    lineage: {
      ...{ operationId: "", uri: "", format: "", options: {} },
      ...(readTime !== undefined && { readTime }),
      ...(restoredFrom !== undefined && { restoredFrom }),
    },
    partial: true,
  };
}
