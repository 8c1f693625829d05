import { type OperationKind, type OperationSnapshot, operationKinds } from "./model.ts";
import type { OperationRecord } from "./operation.ts";

/** Finished operations in memory: so many of each kind, for so long. */
export class Records {
  readonly #maxPerKind: number;
  readonly #maxAgeMs: number;
  readonly #byId = new Map<string, OperationRecord>();
  /** Ids in the order in which they ended; a Set gives the oldest first and deletes in O(1). */
  readonly #byKind: Readonly<Record<OperationKind, Set<string>>> = {
    load: new Set(),
    query: new Set(),
    export: new Set(),
    append: new Set(),
  };

  constructor(bounds: { readonly maxPerKind: number; readonly maxAgeMs: number }) {
    this.#maxPerKind = bounds.maxPerKind;
    this.#maxAgeMs = bounds.maxAgeMs;
  }

  get(id: string): OperationRecord | undefined {
    return this.#byId.get(id);
  }

  all(): readonly OperationSnapshot[] {
    this.expire();
    return Array.from(this.#byId.values(), (record) => record.snapshot);
  }

  add(record: OperationRecord): void {
    const { id, kind } = record.snapshot;
    this.#byId.set(id, record);
    this.#byKind[kind].add(id);
    for (const oldest of this.#byKind[kind]) {
      if (this.#byKind[kind].size <= this.#maxPerKind) break;
      this.#remove(kind, oldest);
    }
  }

  /** Takes what an earlier process left, oldest first; what ended since then is newer and stays behind it in order. */
  addEarlier(records: readonly OperationRecord[]): void {
    const own = [...this.#byId.values()];
    for (const { snapshot } of own) this.#remove(snapshot.kind, snapshot.id);
    for (const record of [...records, ...own]) this.add(record);
  }

  /** Forgets one: another takes its id. */
  remove(id: string): void {
    const record = this.#byId.get(id);
    if (record !== undefined) this.#remove(record.snapshot.kind, id);
  }

  /** Forgets those that ended too long ago. */
  expire(): void {
    const oldest = Date.now() - this.#maxAgeMs;
    for (const kind of operationKinds) {
      for (const id of this.#byKind[kind]) {
        const ended = this.#byId.get(id)?.snapshot.endTime?.getTime() ?? 0;
        if (ended >= oldest) break;
        this.#remove(kind, id);
      }
    }
  }

  #remove(kind: OperationKind, id: string): void {
    this.#byId.delete(id);
    this.#byKind[kind].delete(id);
  }
}
