import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { SeenDataset, SeenVersion } from "../../access/scoped-datasets.ts";
import type { RejectedRow as EngineRejectedRow } from "../../engine/file-scan.ts";
import {
  type Dataset,
  DatasetSchema,
  type RejectedRow,
  RejectedRowSchema,
  StorageLevel,
  type Version,
  VersionSchema,
} from "../../gen/drover/v1/dataset_service_pb.js";
import type { UsedLibrariesSchema } from "../../gen/drover/v1/types_pb.js";
import type { RanWith } from "../../library-sets/ran-with.ts";
import { fromColumns } from "./columns.ts";
import { fromIncrement } from "./refresh.ts";
import { fromWantedRows } from "./row-filters.ts";
import { fromSource } from "./sources.ts";

const LEVELS = { disk: StorageLevel.DISK, memory: StorageLevel.MEMORY, pinned: StorageLevel.PINNED } as const;

/** The contract's rules let no other value through. */
export function toStorageLevel(level: StorageLevel): keyof typeof LEVELS {
  if (level === StorageLevel.PINNED) return "pinned";
  return level === StorageLevel.DISK ? "disk" : "memory";
}

/** Lists leave the columns out: thousands of datasets may have thousands each. */
export function fromDataset(dataset: SeenDataset, { columns }: { readonly columns: boolean }): Dataset {
  return create(DatasetSchema, {
    name: dataset.name,
    version: fromVersion(dataset.current),
    columns: columns ? fromColumns(dataset.current.columns) : [],
    labels: { ...dataset.labels },
    createTime: timestampFromDate(new Date(dataset.createTime)),
    resident: dataset.resident,
    residentBytes: BigInt(dataset.residentBytes),
    storageLevel: LEVELS[dataset.storageLevel],
    storageLevelProblem: dataset.levelProblem?.message ?? "",
  });
}

export function fromVersion(version: SeenVersion): Version {
  const {
    operationId,
    readTime = version.createTime,
    restoredFrom = 0,
    increment,
    libraries,
    ...source
  } = version.lineage;
  return create(VersionSchema, {
    number: BigInt(version.number),
    rows: BigInt(version.rows),
    bytes: BigInt(version.bytes),
    segments: version.segments.length,
    createTime: timestampFromDate(new Date(version.createTime)),
    source: fromSource(source),
    ...fromWantedRows(source),
    operationId,
    sourceBytes: BigInt(version.sourceBytes),
    warnings: [...version.warnings],
    rejectedRows: BigInt(version.rejectedRows),
    partial: version.partial === true,
    readTime: timestampFromDate(new Date(readTime)),
    restoredFrom: BigInt(restoredFrom),
    ...(increment && { increment: fromIncrement(increment) }),
    ...(libraries && { libraries: fromLibraries(libraries) }),
  });
}

function fromLibraries({ set, packages }: RanWith): MessageInitShape<typeof UsedLibrariesSchema> {
  return { setName: set?.name ?? "", setHash: set?.hash ?? "", packages: packages.map((used) => ({ ...used })) };
}

export function fromRejectedRow(row: EngineRejectedRow): RejectedRow {
  return create(RejectedRowSchema, { ...row, line: BigInt(row.line) });
}
