import type { Catalog } from "../catalog/catalog.ts";
import type { Instance } from "../catalog/instance.ts";
import type { Settings } from "../config/settings.ts";
import type { DatasetStore } from "../datasets/model.ts";
import type { Logger } from "../observability/logger.ts";
import type { Uploads } from "../uploads/model.ts";
import { openUploads } from "../uploads/store.ts";
import { sweepRegularly } from "../uploads/sweep.ts";

export interface DriverUploadsOptions {
  readonly dataDirectory: string;
  readonly settings: Settings;
  readonly instance: Instance;
  readonly catalog: Catalog;
  /** Their lineages refer to uploads. */
  readonly datasets: Pick<DatasetStore, "list">;
  readonly logger: Logger;
}

/** Opens the uploads of the data directory, and looks through them now and then until it is disposed of. */
export async function openDriverUploads(
  options: DriverUploadsOptions,
): Promise<Disposable & { readonly uploads: Uploads; sweep(): Promise<void> }> {
  const { dataDirectory, settings, instance, catalog, datasets, logger } = options;
  const uploads = await openUploads({
    ...{ dataDirectory, instanceId: instance.id, catalog: catalog.uploads },
    isAlive: (id) => instance.isAlive(id),
    limits: {
      maxBytes: settings.limits.maxUploadBytes,
      quotaBytes: settings.uploads.quota,
      minFreeBytes: settings.minFreeDisk,
      unfinishedAgeMs: settings.uploads.unfinishedAge,
      retentionMs: settings.uploads.retention,
    },
  });
  const upkeep = sweepRegularly(uploads, {
    referring: async () => {
      const lineages = datasets.list({ labels: {} }).map(({ current }) => current.lineage);
      const sources = await catalog.definitions.sources.list();
      return [...lineages, ...sources].map(({ uri }) => uri);
    },
    onError: (error) => logger.error("the uploads can't be looked through", { error }),
  });
  return Object.assign(upkeep, { uploads });
}
