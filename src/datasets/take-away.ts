import { randomUUID } from "node:crypto";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { Catalog } from "../catalog/catalog.ts";
import type { DatasetTables } from "../catalog/datasets.ts";
import { isCode } from "./files.ts";
import { datasetFolder, trashFolder, versionFolder } from "./layout.ts";

export interface TakeAwayParts {
  readonly dataDirectory: string;
  readonly catalog: Pick<Catalog, "datasets" | "drivers">;
}

export interface TakenPlace {
  readonly uid: string;
  /** The whole dataset when left out. */
  readonly version?: number;
}

/**
 * Moves a version, or a whole dataset, out of sight by one rename, unless another living driver process reads it. The look and
 * the rename are one transaction, and a reader first says that it reads and then looks whether the folder is there: so either
 * the reader finds it gone, or it stays. Answers where it lies now, for `rm`; undefined where it stayed.
 */
export async function takeAway(parts: TakeAwayParts, place: TakenPlace): Promise<string | undefined> {
  const { catalog, dataDirectory } = parts;
  if (await catalog.drivers.hasStranger()) return undefined;
  return catalog.datasets.atomically(async (tables) =>
    (await isReadElsewhere(parts, tables, place)) ? undefined : moveToTrash(dataDirectory, place),
  );
}

export async function isReadElsewhere(
  { catalog }: TakeAwayParts,
  tables: DatasetTables,
  { uid, version }: TakenPlace,
): Promise<boolean> {
  for (const instanceId of await tables.holders(uid, version)) {
    if (await catalog.drivers.isAlive(instanceId)) return true;
  }
  return false;
}

/** What a crash leaves in the trash is removed at the next start. */
export async function moveToTrash(dataDirectory: string, { uid, version }: TakenPlace): Promise<string> {
  const trash = join(trashFolder(dataDirectory), randomUUID());
  const folder = version === undefined ? datasetFolder(dataDirectory, uid) : versionFolder(dataDirectory, uid, version);
  try {
    await rename(folder, trash);
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
  return trash;
}
