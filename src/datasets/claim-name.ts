import { randomUUID } from "node:crypto";
import type { DatasetCatalog, DatasetRecord } from "../catalog/datasets.ts";
import { refuseOtherCase } from "./dataset-index.ts";
import { namesIn } from "./files.ts";
import { versionsFolder } from "./layout.ts";
import { nameKey } from "./names.ts";

export interface ClaimOptions {
  readonly dataDirectory: string;
  readonly catalog: DatasetCatalog;
  readonly name: string;
  /** Replace the dataset's labels if there are any. */
  readonly labels: Readonly<Record<string, string>>;
}

/** The record of a dataset that is about to get a version, made where there is none. Throws NAME_CONFLICT. */
export async function claimName({ dataDirectory, catalog, name, labels }: ClaimOptions): Promise<DatasetRecord> {
  const uid = randomUUID().replaceAll("-", "");
  const fresh = { uid, name, nameKey: nameKey(name), labels, createTime: new Date(), storageLevel: "memory" } as const;
  const record = await catalog.insert(fresh);
  if (record.uid === uid) return record;
  if (record.name !== name) {
    // A name that never got a version is free.
    const versions = await namesIn(versionsFolder(dataDirectory, record.uid));
    if (versions.length > 0) refuseOtherCase(name, record.name);
  }
  const relabelled = Object.keys(labels).length > 0;
  if (record.name === name && !relabelled) return record;
  const changed = { ...record, name, labels: relabelled ? labels : record.labels };
  await catalog.update(changed);
  return changed;
}
