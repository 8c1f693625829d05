import type { DatasetStore, Lineage } from "../datasets/model.ts";
import { nameKey } from "../datasets/names.ts";
import { specOfLineage } from "../definitions/model.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Asker, AwaitedLoad } from "../queries/await-load.ts";
import type { LoadService } from "./model.ts";

export interface RebuildParts {
  readonly loads: LoadService;
  readonly datasets: DatasetStore;
  running(dataset: string): Promise<AwaitedLoad | undefined>;
  follow(dataset: string, operationId: string): AwaitedLoad;
}

/** Why a version can't be made again now, and when to try once more. */
interface Failure {
  readonly error: DriverError;
  readonly until: number;
  readonly count: number;
}

const RETRY_AFTER_MS = 30_000;
const MAX_DOUBLINGS = 6;
const MAX_FAILURES = 1_000;

/**
 * Makes versions again whose files are lost or damaged, by loading what their lineage says once more. For any number of queries
 * that miss a version it is one load. One that fails is not tried again for a while: the queries say both errors.
 */
export class Rebuilds {
  readonly #parts: RebuildParts;
  readonly #beginning = new Map<string, Promise<AwaitedLoad | undefined>>();
  readonly #failures = new Map<string, Failure>();

  constructor(parts: RebuildParts) {
    this.#parts = parts;
  }

  /** Begins or joins the load that makes a dataset's current version again. Undefined where nothing says how it was made. */
  begin(dataset: string, lost: DriverError, asker: Asker): Promise<AwaitedLoad | undefined> {
    const key = nameKey(dataset);
    let beginning = this.#beginning.get(key);
    if (beginning === undefined) {
      beginning = this.#begin(dataset, lost, asker).finally(() => this.#beginning.delete(key));
      this.#beginning.set(key, beginning);
    }
    return beginning;
  }

  async #begin(dataset: string, lost: DriverError, asker: Asker): Promise<AwaitedLoad | undefined> {
    const lineage = await this.#parts.datasets.lineage(dataset);
    if (lineage === undefined || !isRepeatable(lineage)) return undefined;
    const failure = this.#failures.get(nameKey(dataset));
    if (failure !== undefined && performance.now() < failure.until) throw both(lost, failure.error);
    // Whatever is being loaded takes the place of what is lost.
    const load = (await this.#parts.running(dataset)) ?? (await this.#load(dataset, lineage, lost, asker));
    return { operationId: load.operationId, wait: (options) => this.#wait(dataset, load, lost, options) };
  }

  async #load(dataset: string, lineage: Lineage, lost: DriverError, asker: Asker): Promise<AwaitedLoad> {
    const { increment, ...named } = lineage;
    try {
      // Without labels the dataset keeps those that it has.
      const request = { dataset, source: specOfLineage(named), labels: {}, ...(increment && { increment }), ...asker };
      const { operation } = await this.#parts.loads.load(request);
      return this.#parts.follow(dataset, operation.id);
    } catch (error) {
      throw this.#failed(dataset, lost, error);
    }
  }

  async #wait(dataset: string, load: AwaitedLoad, lost: DriverError, options: Parameters<AwaitedLoad["wait"]>[0]) {
    try {
      await load.wait(options);
      this.#failures.delete(nameKey(dataset));
    } catch (error) {
      options.signal.throwIfAborted();
      throw this.#failed(dataset, lost, error);
    }
  }

  #failed(dataset: string, lost: DriverError, thrown: unknown): DriverError {
    const key = nameKey(dataset);
    const error = DriverError.from(thrown);
    const before = this.#failures.get(key);
    // Many queries learn of one failure.
    const again = before === undefined || performance.now() >= before.until;
    if (again) {
      const count = (before?.count ?? 0) + 1;
      if (this.#failures.size >= MAX_FAILURES) this.#failures.clear();
      const until = performance.now() + RETRY_AFTER_MS * 2 ** Math.min(MAX_DOUBLINGS, count - 1);
      this.#failures.set(key, { error, until, count });
    }
    return both(lost, error);
  }
}

/** What a lineage may say for its source to give the whole version again. */
const REPEATABLE: ReadonlySet<string> = new Set([
  ...["format", "uri", "options", "connection", "filter", "limit", "operationId", "readTime", "libraries", "increment"],
]);

/** Whether a version is what its source gives, and nothing else: no rows that were added, no older state that was restored. */
export function isRepeatable(lineage: Lineage): boolean {
  return Object.entries(lineage).every(([name, value]) => value === undefined || REPEATABLE.has(name));
}

/** That the version is lost stays the reason; why it can't be made again comes with it. */
function both(lost: DriverError, error: DriverError): DriverError {
  const message = `${lost.message}; it can't be loaded again: ${error.reason}: ${error.message}`;
  return new DriverError(lost.reason, message, {
    metadata: { ...lost.metadata, rebuildReason: error.reason },
    cause: lost,
  });
}
