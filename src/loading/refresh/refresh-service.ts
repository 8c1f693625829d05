import { setTimeout } from "node:timers/promises";
import type { RefreshCatalog, RefreshRecord } from "../../catalog/refreshes.ts";
import type { DatasetInfo, DatasetStore, VersionManifest } from "../../datasets/model.ts";
import { specOfLineage } from "../../definitions/model.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { followOperation } from "../../operations/follow.ts";
import type { Operations } from "../../operations/model.ts";
import type { Asker, AwaitedLoad, LoadFinder } from "../../queries/await-load.ts";
import type { AwaitedRefresh } from "../../queries/make-fresh.ts";
import type { Freshness } from "../../queries/model.ts";
import { awaitHere } from "../load-finder.ts";
import type { LoadService } from "../model.ts";
import type { RefreshRequest, RefreshService, StartedRefresh } from "./model.ts";
import { backoffMs, checkSchedule, nextTime, type Schedule, scheduleJson } from "./schedule.ts";

export interface RefreshServiceParts {
  readonly datasets: DatasetStore;
  readonly loads: Pick<LoadService, "load"> & Pick<LoadFinder, "running">;
  readonly operations: Operations;
  readonly refreshes: RefreshCatalog;
  readonly now: () => Date;
  /** Told what can't be noted in the catalog. */
  readonly onError: (error: unknown) => void;
}

const LOOK_AGAIN_MS = 200;

/** Stands for a load that has ended just now. */
const LOOK_AGAIN: AwaitedLoad = {
  operationId: "",
  wait: ({ signal }) => setTimeout(LOOK_AGAIN_MS, undefined, { signal }).catch(() => signal.throwIfAborted()),
};

export function createRefreshService(parts: RefreshServiceParts): RefreshService {
  return new Refreshes(parts);
}

class Refreshes implements RefreshService {
  readonly #parts: RefreshServiceParts;

  constructor(parts: RefreshServiceParts) {
    this.#parts = parts;
  }

  async refresh(request: RefreshRequest): Promise<StartedRefresh> {
    const { dataset, mode, operationId, requestedBy, whose, caller } = request;
    const { datasets, loads, operations } = this.#parts;
    await datasets.refresh();
    const { uid, current } = datasets.get(dataset);
    requireRefreshable(dataset, current.lineage);
    const rule = request.increment ?? current.lineage.increment;
    if (rule === undefined && mode === "incremental") throw noRule(dataset);
    if (operationId) await operations.recall(operationId);
    const started = await loads.load({
      dataset,
      source: specOfLineage(current.lineage),
      labels: {},
      ...{ requestedBy, whose, caller },
      ...(operationId && { operationId }),
      ...(rule && { increment: rule }),
      onlyNew: rule !== undefined && mode !== "full",
    });
    const isNew = !started.joined && started.operation.endTime === undefined;
    return { ...started, noted: isNew ? this.#note(uid, started.operation.id) : Promise.resolve() };
  }

  async refreshing(dataset: string, freshness: Freshness, asker: Asker): Promise<AwaitedRefresh | undefined> {
    const { datasets, operations, loads } = this.#parts;
    await datasets.refresh();
    const info = datasets.get(dataset);
    if (this.#age(await this.freshTime(info)) <= freshness.maxAgeMs) return undefined;
    if (freshness.allowStale) {
      await this.#startUnlessFailing(info, asker);
      return undefined;
    }
    try {
      const { operation, joined } = await this.refresh({ dataset, ...ofAsker(asker) });
      return { load: this.#leavable(awaitHere({ operations }, dataset, operation.id)), isNew: !joined };
    } catch (error) {
      if (!isConflict(error)) throw error;
      // Something else is brought into the dataset; that may be young enough.
      const load = await loads.running(dataset);
      return { load: load ?? LOOK_AGAIN, isNew: false };
    }
  }

  async freshTime({ uid, current }: DatasetInfo): Promise<Date> {
    const read = readTimeOf(current);
    const seen = (await this.#parts.refreshes.find(uid))?.seen;
    // No load has brought anything since: then the version, or the one that it extends, is what was seen.
    return seen !== undefined && seen.version <= current.number && seen.time > read ? seen.time : read;
  }

  async noteRestored({ uid, current }: DatasetInfo): Promise<void> {
    await this.#parts.refreshes.see(uid, current.number, readTimeOf(current));
  }

  status({ uid }: DatasetInfo): Promise<RefreshRecord | undefined> {
    return this.#parts.refreshes.find(uid);
  }

  async setSchedule(dataset: string, schedule: Schedule | undefined): Promise<DatasetInfo> {
    const { datasets, refreshes, now } = this.#parts;
    await datasets.refresh();
    const info = datasets.get(dataset);
    if (schedule === undefined) await refreshes.setSchedule(info.uid, undefined);
    else {
      requireRefreshable(dataset, info.current.lineage);
      checkSchedule(schedule, now());
      const next = nextTime(schedule, now()) ?? now();
      await refreshes.setSchedule(info.uid, { rule: scheduleJson(schedule), nextTime: next });
    }
    return info;
  }

  #age(time: Date): number {
    return this.#parts.now().getTime() - time.getTime();
  }

  /** A source that fails is not asked again by every query that can do without it. */
  async #startUnlessFailing({ name, uid }: DatasetInfo, asker: Asker): Promise<void> {
    const { last, failures = 0 } = (await this.#parts.refreshes.find(uid)) ?? {};
    if (failures > 0 && last?.endTime !== undefined && this.#age(last.endTime) < backoffMs(failures)) return;
    await this.refresh({ dataset: name, ...ofAsker(asker) }).catch(async (error: unknown) => {
      // Another load is as good; whatever else is wrong is told by the dataset's status.
      if (isConflict(error)) return;
      await this.noteFailure(uid, DriverError.from(error)).catch(this.#parts.onError);
    });
  }

  /** Notes a refresh that could not even start. */
  async noteFailure(uid: string, error: DriverError): Promise<void> {
    const { refreshes, now } = this.#parts;
    await refreshes.begin(uid, { operationId: "", startTime: now() });
    await refreshes.end(uid, { operationId: "", endTime: now(), error });
  }

  /** Whoever leaves takes no further part in the refresh; those who share it keep it. */
  #leavable(load: AwaitedLoad): AwaitedLoad {
    const { operations, onError } = this.#parts;
    return {
      operationId: load.operationId,
      wait: async (options) => {
        try {
          await load.wait(options);
        } catch (error) {
          const { signal } = options;
          if (signal.aborted) operations.cancel(load.operationId, DriverError.from(signal.reason)).catch(onError);
          throw error;
        }
      },
    };
  }

  async #note(uid: string, operationId: string): Promise<void> {
    const { operations, refreshes, now, onError } = this.#parts;
    try {
      await refreshes.begin(uid, { operationId, startTime: now() });
      const { signal } = new AbortController();
      const error = await followOperation(operations, operationId, { signal }).then(() => undefined, DriverError.from);
      // Then nobody knows what would have come of it, and it is as if it had not been.
      if (error?.reason === "DRIVER_STOPPED") return;
      await refreshes.end(uid, { operationId, endTime: now(), ...(error && { error }) });
    } catch (error) {
      onError(error);
    }
  }
}

function requireRefreshable(dataset: string, { uri, connection }: DatasetInfo["current"]["lineage"]): void {
  if (uri !== "" || connection !== undefined) return;
  throw new DriverError("NOT_REFRESHABLE", `"${dataset}" was not loaded from a source`, { metadata: { dataset } });
}

function noRule(dataset: string): DriverError {
  return new DriverError("INVALID_INCREMENT", `"${dataset}" has no rule for increments: name a watermark`, {
    metadata: { dataset },
  });
}

function readTimeOf({ lineage, createTime }: VersionManifest): Date {
  return new Date(lineage.readTime ?? createTime);
}

/** An asker may be told more about than a load takes. */
function ofAsker({ requestedBy, whose, caller }: Asker): Asker {
  return { requestedBy, whose, caller };
}

function isConflict(error: unknown): boolean {
  return error instanceof DriverError && error.reason === "LOAD_CONFLICT";
}
