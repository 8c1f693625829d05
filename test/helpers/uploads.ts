import type { Catalog } from "../../src/catalog/catalog.ts";
import type { Instance } from "../../src/catalog/instance.ts";
import type { Uploads } from "../../src/uploads/model.ts";
import { openUploads } from "../../src/uploads/store.ts";

const limits = { maxBytes: 1e9, quotaBytes: 0, minFreeBytes: 0, unfinishedAgeMs: 1e9, retentionMs: 1e9 };

/** The uploads of a data directory, without limits. */
export function openTestUploads(dataDirectory: string, instance: Instance, catalog: Catalog): Promise<Uploads> {
  const isAlive = (id: string) => instance.isAlive(id);
  return openUploads({ dataDirectory, instanceId: instance.id, catalog: catalog.uploads, isAlive, limits });
}
