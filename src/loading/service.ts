import type { LoadCatalog } from "../catalog/loads.ts";
import type { DatasetStore } from "../datasets/model.ts";
import { nameKey } from "../datasets/names.ts";
import type { LoadEngine } from "../engine/engine.ts";
import type { SegmentLimits } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson, isInterrupted, isSameRequest } from "../operations/identity.ts";
import type { JsonObject, OperationSnapshot, Operations } from "../operations/model.ts";
import type { Pool } from "../scheduling/model.ts";
import type { SourceKind, SourceSpec } from "../sources/connector.ts";
import { chooseKind } from "../sources/kinds.ts";
import { type LoadIdentity, loadOnce, requireSame } from "./load-once.ts";
import type { LoadRequest, LoadService } from "./model.ts";
import { runLoad } from "./run-load.ts";

export interface LoadOptions {
  /** Folders that sources must lie under, made real; undefined allows any. */
  readonly fileRoots: readonly string[] | undefined;
  readonly limits: SegmentLimits;
}

export interface LoadServiceParts {
  readonly engine: LoadEngine;
  readonly kinds: readonly SourceKind[];
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
  /** The id of the load that runs, by dataset. */
  readonly #running = new Map<string, string>();

  constructor(parts: LoadServiceParts) {
    this.#parts = parts;
  }

  load(request: LoadRequest): { readonly operation: OperationSnapshot; readonly joined: boolean } {
    const { dataset, source, labels, requestedBy } = request;
    const { operations, claims } = this.#parts;
    const { kind, configuration } = this.#checked(source);
    const earlier = this.#earlier(request, configuration);
    if (earlier) return earlier;
    const joined = this.#join(dataset, configuration);
    if (joined) return { operation: joined, joined: true };
    const { id, done } = operations.run(
      {
        ...(request.operationId ? { id: request.operationId } : {}),
        kind: "load",
        dataset,
        requestedBy,
        labels,
        configuration,
      },
      (handle) => {
        const identity = { operationId: handle.id, ...shared(dataset, configuration) };
        return loadOnce(claims, identity, handle, () => runLoad(this.#parts, kind, request, handle));
      },
      {},
    );
    this.#running.set(dataset, id);
    const ended = () => {
      if (this.#running.get(dataset) === id) this.#running.delete(dataset);
    };
    done.then(ended, ended);
    return { operation: operations.get(id), joined: false };
  }

  async requireFree(request: LoadRequest): Promise<void> {
    const { configuration } = this.#checked(request.source);
    if (this.#earlier(request, configuration)) return;
    const identity = shared(request.dataset, configuration);
    const present = await this.#parts.claims.running(identity.nameKey);
    if (present !== undefined) requireSame(present, identity);
  }

  #checked(source: SourceSpec): { readonly kind: SourceKind; readonly configuration: JsonObject } {
    const kind = chooseKind(this.#parts.kinds, source);
    kind.check(source.options);
    return { kind, configuration: { format: kind.kind, uri: source.uri, options: source.options } };
  }

  /** A repeated call with the same id is no new work, unless the end of an earlier driver cut it short. */
  #earlier(
    request: LoadRequest,
    configuration: JsonObject,
  ): { operation: OperationSnapshot; joined: boolean } | undefined {
    const { operationId, dataset } = request;
    const operation = operationId ? this.#parts.operations.find(operationId) : undefined;
    if (!operation) return undefined;
    if (!isSameRequest(operation, { kind: "load", dataset, configuration }))
      throw new DriverError("OPERATION_EXISTS", `operation "${operation.id}" is another one`, {
        metadata: { operation: operation.id },
      });
    if (isInterrupted(operation)) return undefined;
    return { operation, joined: operation.endTime === undefined };
  }

  #join(dataset: string, configuration: JsonObject): OperationSnapshot | undefined {
    const id = this.#running.get(dataset);
    const operation = id === undefined ? undefined : this.#parts.operations.find(id);
    if (!operation || operation.endTime !== undefined) return undefined;
    // A load that is being cancelled gives no version to whoever joins it now.
    const same = isSameRequest(operation, { kind: "load", dataset, configuration });
    if (operation.state !== "cancelling" && same) return operation;
    throw new DriverError("LOAD_CONFLICT", `operation "${operation.id}" is loading ${JSON.stringify(dataset)}`, {
      metadata: { dataset, operation: operation.id },
    });
  }
}

/** What tells a load from others in all processes. Names that differ by case are one dataset, and different loads. */
function shared(dataset: string, configuration: JsonObject): Omit<LoadIdentity, "operationId"> {
  return { dataset, nameKey: nameKey(dataset), configuration: canonicalJson({ dataset, ...configuration }) };
}
