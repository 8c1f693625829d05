import { DriverError } from "../errors/driver-error.ts";
import type { Dataset } from "./dataset.ts";
import { nameKey } from "./names.ts";
import { datasetNotFound } from "./not-found.ts";

/** The datasets of this process by name. */
export class DatasetIndex {
  readonly #byKey = new Map<string, Dataset>();
  readonly #byUid = new Map<string, Dataset>();

  /** Throws DATASET_NOT_FOUND, also for a name that is right but for its case. */
  find(name: string): Dataset {
    const dataset = this.#byKey.get(nameKey(name));
    if (dataset?.record.name === name) return dataset;
    const hint = dataset === undefined ? "" : `; there is "${dataset.record.name}"`;
    throw datasetNotFound(name, hint);
  }

  get(key: string): Dataset | undefined {
    return this.#byKey.get(key);
  }

  withUid(uid: string): Dataset | undefined {
    return this.#byUid.get(uid);
  }

  add(dataset: Dataset): void {
    this.#byKey.set(dataset.record.nameKey, dataset);
    this.#byUid.set(dataset.record.uid, dataset);
  }

  remove({ record }: Dataset): void {
    this.#byUid.delete(record.uid);
    // The name may have gone to another dataset meanwhile.
    if (this.#byKey.get(record.nameKey)?.record.uid === record.uid) this.#byKey.delete(record.nameKey);
  }

  all(): readonly Dataset[] {
    return [...this.#byKey.values()];
  }
}

/** Throws NAME_CONFLICT for a name that differs from one that there is only by case or composition. */
export function refuseOtherCase(name: string, present: string | undefined): void {
  if (present === undefined || present === name) return;
  throw new DriverError("NAME_CONFLICT", `the dataset "${name}" differs only by case from "${present}"`, {
    metadata: { dataset: name, existing: present },
  });
}
