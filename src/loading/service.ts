import type { LoadCatalog } from "../catalog/loads.ts";
import type { DatasetStore } from "../datasets/model.ts";
import { nameKey } from "../datasets/names.ts";
import type { ResolvedSource, SourceResolver } from "../definitions/model.ts";
import type { LoadEngine } from "../engine/engine.ts";
import type { SegmentLimits } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson, isInterrupted, isSameRequest } from "../operations/identity.ts";
import type { Operations } from "../operations/model.ts";
import type { Pool } from "../scheduling/model.ts";
import { type LoadIdentity, loadOnce, requireSame } from "./load-once.ts";
import type { LoadRequest, LoadService, Started } from "./model.ts";
import { runLoad } from "./run-load.ts";

export interface LoadOptions {
  /** Folders that sources must lie under, made real; undefined allows any. */
  readonly fileRoots: readonly string[] | undefined;
  readonly limits: SegmentLimits;
}

export interface LoadServiceParts {
  readonly engine: LoadEngine;
  readonly definitions: SourceResolver;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  /** The loads of all driver processes. */
  readonly claims: LoadCatalog;
  readonly pool: Pool;
  readonly options: LoadOptions;
}

/** About a million rows and at most 256 MiB for a segment; 64 MiB for a row group. */
export const DEFAULT_SEGMENT_LIMITS: SegmentLimits = {
  maxRows: 1_000_000,
  maxBytes: 256 * 1024 * 1024,
  maxRowGroupBytes: 64 * 1024 * 1024,
};

export function createLoadService(parts: LoadServiceParts): LoadService {
  return new Loads(parts);
}

class Loads implements LoadService {
  readonly #parts: LoadServiceParts;
  /** The load that runs, by dataset. */
  readonly #running = new Map<string, { readonly id: string; readonly meaning: string }>();

  constructor(parts: LoadServiceParts) {
    this.#parts = parts;
  }

  async load(request: LoadRequest): Promise<Started> {
    const { definitions, claims } = this.#parts;
    const source = await definitions.resolve(request.source);
    const known = this.#earlier(request, source) ?? this.#join(request, source);
    if (known) return known;
    // If another process begins just after this look, the operation fails for that reason.
    const identity = shared(request.dataset, source);
    const present = await claims.running(identity.nameKey);
    // One that has begun here meanwhile is looked at below.
    if (present !== undefined && !this.#running.has(request.dataset)) requireSame(present, identity);
    return this.#earlier(request, source) ?? this.#join(request, source) ?? this.#start(request, source);
  }

  #start(request: LoadRequest, source: ResolvedSource): Started {
    const { dataset, labels, requestedBy } = request;
    const { operations, claims } = this.#parts;
    const { id, done } = operations.run(
      {
        ...(request.operationId ? { id: request.operationId } : {}),
        kind: "load",
        dataset,
        requestedBy,
        labels,
        configuration: { ...source.named },
      },
      (handle) => {
        const identity = { operationId: handle.id, ...shared(dataset, source) };
        return loadOnce(claims, identity, handle, () => runLoad(this.#parts, source, request, handle));
      },
      {},
    );
    const running = { id, meaning: canonicalJson(source.meaning) };
    this.#running.set(dataset, running);
    const ended = () => {
      if (this.#running.get(dataset) === running) this.#running.delete(dataset);
    };
    done.then(ended, ended);
    return { operation: operations.get(id), joined: false };
  }

  /** A repeated call with the same id is no new work, unless the end of an earlier driver cut it short. */
  #earlier(request: LoadRequest, { named }: ResolvedSource): Started | undefined {
    const { operationId, dataset } = request;
    const operation = operationId ? this.#parts.operations.find(operationId) : undefined;
    if (!operation) return undefined;
    if (!isSameRequest(operation, { kind: "load", dataset, configuration: { ...named } }))
      throw new DriverError("OPERATION_EXISTS", `operation "${operation.id}" is another one`, {
        metadata: { operation: operation.id },
      });
    if (isInterrupted(operation)) return undefined;
    return { operation, joined: operation.endTime === undefined };
  }

  #join({ dataset }: LoadRequest, { named, meaning }: ResolvedSource): Started | undefined {
    const running = this.#running.get(dataset);
    const operation = running && this.#parts.operations.find(running.id);
    if (!operation || operation.endTime !== undefined) return undefined;
    const same =
      running.meaning === canonicalJson(meaning) &&
      isSameRequest(operation, { kind: "load", dataset, configuration: { ...named } });
    // A load that is being cancelled gives no version to whoever joins it now.
    if (operation.state !== "cancelling" && same) return { operation, joined: true };
    throw new DriverError("LOAD_CONFLICT", `operation "${operation.id}" is loading ${JSON.stringify(dataset)}`, {
      metadata: { dataset, operation: operation.id },
    });
  }
}

/** What tells a load from others in all processes. Names that differ by case are one dataset, and different loads. */
function shared(dataset: string, { named, meaning }: ResolvedSource): Omit<LoadIdentity, "operationId"> {
  const configuration = canonicalJson({ dataset, ...named, ...(meaning && { meaning }) });
  return { dataset, nameKey: nameKey(dataset), configuration };
}
