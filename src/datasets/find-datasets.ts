import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatasetRecord } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import { Dataset } from "./dataset.ts";
import type { DatasetEventListener } from "./events.ts";
import { namesIn } from "./files.ts";
import {
  datasetFolder,
  datasetsFolder,
  deletedMark,
  trashFolder,
  versionFolder,
  versionNumber,
  versionsFolder,
} from "./layout.ts";
import { nameKey } from "./names.ts";
import { type TakeAwayParts, takeAway } from "./take-away.ts";
import { Version } from "./version.ts";

export interface FindOptions extends TakeAwayParts {
  readonly onEvent: DatasetEventListener;
}

/** How many folders are looked at side by side. */
const SIDE_BY_SIDE = 32;

/**
 * Finds the datasets on disk. Folders decide which versions there are; the catalog says their names, and where it doesn't
 * know one (it was lost), its manifest does. Reads only the manifest of each current version.
 */
export async function findDatasets(options: FindOptions): Promise<readonly Dataset[]> {
  const uids = [...(await namesIn(datasetsFolder(options.dataDirectory)))];
  const records = new Map((await options.catalog.datasets.list()).map((record) => [record.uid, record]));
  const found: Dataset[] = [];
  while (uids.length > 0) {
    const some = uids.splice(0, SIDE_BY_SIDE);
    const datasets = await Promise.all(some.map((uid) => findDataset(options, uid, records.get(uid))));
    for (const dataset of datasets) if (dataset !== undefined) found.push(dataset);
  }
  return found;
}

async function findDataset(
  options: FindOptions,
  uid: string,
  known: DatasetRecord | undefined,
): Promise<Dataset | undefined> {
  const { dataDirectory } = options;
  if (existsSync(deletedMark(dataDirectory, uid))) {
    await options.catalog.datasets.remove(uid);
    const trash = await takeAway(options, { uid });
    if (trash !== undefined) await rm(trash, { recursive: true, force: true });
    return undefined;
  }
  const numbers = await versionNumbers(dataDirectory, uid);
  const versions = numbers.map((number) => new Version(uid, number, versionFolder(dataDirectory, uid, number)));
  // A load that stopped between naming the dataset and publishing leaves none.
  if (versions.length === 0) return undefined;
  const record = known ?? (await adopt(options, uid, versions));
  if (record === undefined) return undefined;
  const dataset = new Dataset(record);
  for (const version of versions) dataset.add(version);
  await versions[0]?.read().catch((error) => damaged(options, record.name, versions[0]?.number ?? 0, error));
  return dataset;
}

/** The numbers of a dataset's versions on disk, newest first. */
export async function versionNumbers(dataDirectory: string, uid: string): Promise<readonly number[]> {
  const numbers = (await namesIn(versionsFolder(dataDirectory, uid))).map(versionNumber);
  return numbers.filter((number) => number !== undefined).sort((a, b) => b - a);
}

/** Takes name and labels from the newest manifest that can be read. */
async function adopt(
  options: FindOptions,
  uid: string,
  versions: readonly Version[],
): Promise<DatasetRecord | undefined> {
  for (const version of versions) {
    try {
      const { owner } = await version.read();
      const { name, labels, createTime } = owner;
      const facts = { uid, name, nameKey: nameKey(name), labels, createTime: new Date(createTime) };
      const record: DatasetRecord = { ...facts, storageLevel: "memory" };
      const mark = deletedMark(options.dataDirectory, uid);
      const present = await options.catalog.datasets.atomically(async (tables) =>
        // It may be unknown because another process is deleting it.
        existsSync(mark) ? undefined : tables.insert(record),
      );
      if (present === undefined || present.uid === uid) return present;
      const message = `${datasetFolder(options.dataDirectory, uid)} is called like "${present.name}"`;
      damaged(options, name, version.number, new DriverError("NAME_CONFLICT", message));
      return undefined;
    } catch (error) {
      damaged(options, uid, version.number, error);
    }
  }
  return undefined;
}

function damaged({ onEvent }: FindOptions, dataset: string, version: number, error: unknown): void {
  onEvent({ type: "damaged", dataset, version, error: DriverError.from(error) });
}

/** Removes what earlier processes had on its way out. */
export async function emptyTrash(dataDirectory: string): Promise<void> {
  for (const name of await namesIn(trashFolder(dataDirectory))) {
    // Their own processes may be at it, too.
    await rm(join(trashFolder(dataDirectory), name), { recursive: true, force: true, maxRetries: 3 });
  }
}
