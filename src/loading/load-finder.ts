import { setTimeout } from "node:timers/promises";
import type { LoadCatalog, LoadRecord } from "../catalog/loads.ts";
import type { DatasetStore } from "../datasets/model.ts";
import { nameKey } from "../datasets/names.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { OperationProgress, OperationSnapshot, Operations } from "../operations/model.ts";
import type { Asker, AwaitedLoad, LoadFinder } from "../queries/await-load.ts";
import type { LoadService } from "./model.ts";
import type { ProgressNotes } from "./progress-notes.ts";
import { Rebuilds } from "./rebuilds.ts";

export interface LoadFinderParts {
  readonly loads: LoadService;
  readonly operations: Operations;
  /** The loads of all driver processes. */
  readonly claims: LoadCatalog;
  readonly datasets: DatasetStore;
  readonly notes: ProgressNotes;
}

interface WaitOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: OperationProgress) => void;
}

const LOOK_EVERY_MS = 100;

/** Finds the loads that queries wait for. */
export function createLoadFinder(parts: LoadFinderParts): LoadFinder {
  const { loads, claims, datasets } = parts;
  const here = (dataset: string, operationId: string): AwaitedLoad => ({
    operationId,
    async wait(options) {
      for (let id: string | undefined = operationId; id !== undefined; ) {
        const state = await waitHere(parts, dataset, id, options);
        // Others may still want the load that this one has left.
        const next: string | undefined = state === "cancelled" ? loads.running(dataset) : undefined;
        id = next === id ? undefined : next;
      }
    },
  });
  const running = async (dataset: string): Promise<AwaitedLoad | undefined> => {
    const operationId = loads.running(dataset);
    if (operationId !== undefined) return here(dataset, operationId);
    const record = await claims.running(nameKey(dataset));
    return (
      record && { operationId: record.operationId, wait: (options) => waitElsewhere(parts, dataset, record, options) }
    );
  };
  const rebuilds = new Rebuilds({ loads, datasets, running, follow: here });
  return {
    running,
    async mending(error: DriverError, asker: Asker) {
      const { dataset, version } = error.metadata;
      if (dataset === undefined) return undefined;
      if (error.reason === "DATASET_NOT_FOUND") {
        const first = await running(dataset);
        if (first !== undefined) return first;
        await datasets.refresh();
        // It may have ended since the dataset was not found.
        if (datasets.resolve(dataset) === dataset) return { operationId: "", wait: async () => undefined };
        return rebuilds.begin(dataset, error, asker);
      }
      if (error.reason !== "VERSION_DAMAGED" || !datasets.isCurrent(dataset, Number(version))) return undefined;
      return rebuilds.begin(dataset, error, asker);
    },
  };
}

/** A load of this process by one of its operations. */
export function awaitHere(
  parts: Pick<LoadFinderParts, "operations">,
  dataset: string,
  operationId: string,
): AwaitedLoad {
  return {
    operationId,
    async wait(options) {
      await waitHere(parts, dataset, operationId, options);
    },
  };
}

async function waitHere(
  { operations }: Pick<LoadFinderParts, "operations">,
  dataset: string,
  id: string,
  { signal, onProgress }: WaitOptions,
): Promise<OperationSnapshot["state"] | undefined> {
  let last: OperationSnapshot["state"] | undefined;
  for await (const event of operations.watch(id, { signal })) {
    if (event.type === "state") onProgress(event.operation.progress);
    if (event.type === "progress") onProgress(event.progress);
    if (event.type !== "ended") continue;
    const { state, error } = event.operation;
    if (state === "failed" && error !== undefined) throw failed(dataset, id, error);
    last = state;
  }
  return last;
}

async function waitElsewhere(
  { claims, notes }: LoadFinderParts,
  dataset: string,
  { operationId, instanceId }: LoadRecord,
  { signal, onProgress }: WaitOptions,
): Promise<void> {
  for (;;) {
    const load = await claims.find(operationId);
    // Nobody carries it out any more: whoever waits looks again.
    if (load === undefined) return;
    if (load.result !== undefined) {
      if ("error" in load.result && load.result.error.reason !== "CANCELLED")
        throw failed(dataset, operationId, load.result.error);
      return;
    }
    onProgress((await notes.read(instanceId, operationId)) ?? UNKNOWN);
    await setTimeout(LOOK_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

const UNKNOWN: OperationProgress = {
  ...{ fraction: undefined, rows: 0, bytes: 0, totalBytes: 0, rowsPerSecond: 0, bytesPerSecond: 0, phase: "" },
};

function failed(dataset: string, operation: string, error: DriverError): DriverError {
  return new DriverError(error.reason, `the load "${operation}" of "${dataset}" has failed: ${error.message}`, {
    metadata: { ...error.metadata, dataset, operation },
    cause: error,
  });
}
