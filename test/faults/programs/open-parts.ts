import { randomUUID } from "node:crypto";
import { openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance } from "../../../src/catalog/instance.ts";
import type { DatasetEvent } from "../../../src/datasets/events.ts";
import type { DatasetStore } from "../../../src/datasets/model.ts";
import { openDatasetStore } from "../../../src/datasets/store.ts";
import type { Operations } from "../../../src/operations/model.ts";
import { createOperations } from "../../../src/operations/operations.ts";

export interface Parts extends AsyncDisposable {
  readonly instanceId: string;
  readonly store: DatasetStore;
  readonly operations: Operations;
  readonly events: readonly DatasetEvent[];
}

/** Opens what a driver keeps on disk, as a driver does, without anything that queries it. */
export async function openParts(dataDirectory: string): Promise<Parts> {
  const stack = new AsyncDisposableStack();
  const instance = stack.use(await claimInstance({ dataDirectory, id: randomUUID() }));
  const catalog = stack.use(await openCatalog({ dataDirectory, instance }));
  const events: DatasetEvent[] = [];
  const store = stack.use(
    await openDatasetStore({
      dataDirectory,
      instance,
      catalog,
      engine: { makeResident: async () => 0, dropResident: async () => undefined },
      residency: { budgetBytes: 0, idleMs: 0 },
      retention: { maxVersions: 2, maxAgeMs: 0, maxBytes: 0 },
      quota: { maxBytes: 0, minFreeBytes: 0 },
      onEvent: (event) => events.push(event),
    }),
  );
  const operations = stack.use(createOperations({ history: catalog.operations }));
  return { instanceId: instance.id, store, operations, events, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
