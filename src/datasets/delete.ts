import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { DatasetTables } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Dataset } from "./dataset.ts";
import { namesIn, syncFolder, writeNewFile } from "./files.ts";
import { datasetFolder, deletedMark, versionsFolder } from "./layout.ts";
import { isReadElsewhere, moveToTrash, type TakeAwayParts } from "./take-away.ts";

/**
 * Deletes a dataset in every process. `forget` makes it unknown here, in the same turn of the event loop as the look at its
 * pins. Answers where it lies now; undefined where somebody reads it, so that it stays until they let go. Throws LOAD_CONFLICT.
 */
export async function deleteDataset(
  parts: TakeAwayParts,
  dataset: Dataset,
  forget: () => void,
): Promise<string | undefined> {
  const { catalog, dataDirectory } = parts;
  const { uid } = dataset.record;
  const stranger = await catalog.drivers.hasStranger();
  let trash: string | undefined;
  try {
    await catalog.datasets.atomically(async (tables) => {
      await refuseWhileLoading(parts, tables, dataset);
      // The mark finishes the work after a crash. Where nobody reads, one rename does all, also on a disk that is full.
      const isRead = stranger || (await isReadElsewhere(parts, tables, { uid }));
      if (isRead || dataset.isPinned) await markDeleted(dataDirectory, uid);
      forget();
      if (dataset.isPinned) await markDeleted(dataDirectory, uid);
      else if (!isRead) trash = await moveToTrash(dataDirectory, { uid });
      await tables.remove(uid);
    });
  } catch (error) {
    if (trash === undefined || !(error instanceof DriverError) || error.reason !== "DISK_FULL") throw error;
    // Now that its files are gone there is room to say so.
    await rm(trash, { recursive: true, force: true });
    await catalog.datasets.atomically(async (tables) => {
      // Another process may have published a version under the name meanwhile.
      if ((await namesIn(versionsFolder(dataDirectory, uid))).length === 0) await tables.remove(uid);
    });
  }
  return trash;
}

async function refuseWhileLoading({ catalog }: TakeAwayParts, tables: DatasetTables, { record }: Dataset) {
  const load = await tables.loading(record.nameKey);
  if (load === undefined || !(await catalog.drivers.isAlive(load.instanceId))) return;
  throw new DriverError("LOAD_CONFLICT", `operation "${load.operationId}" is loading ${JSON.stringify(record.name)}`, {
    metadata: { dataset: record.name, operation: load.operationId },
  });
}

async function markDeleted(dataDirectory: string, uid: string): Promise<void> {
  const mark = deletedMark(dataDirectory, uid);
  if (existsSync(mark)) return;
  await writeNewFile(mark, "");
  await syncFolder(datasetFolder(dataDirectory, uid));
}
