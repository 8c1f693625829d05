import { randomUUID } from "node:crypto";
import type { Owner } from "../operations/owner.ts";

/** Who attached, by its own account; only the principal was checked. */
export interface LeaseHolder {
  readonly clientName: string;
  readonly clientHost: string;
  readonly clientPid: number;
  readonly clientVersion: string;
  readonly principal: string;
  readonly owner: Owner;
}

export interface Lease extends LeaseHolder {
  readonly id: string;
  readonly since: Date;
}

/** Who is attached at the moment. A driver with leases is not idle. */
export class Leases {
  readonly #held = new Map<string, Lease>();

  get size(): number {
    return this.#held.size;
  }

  /** The oldest first. */
  list(): readonly Lease[] {
    return [...this.#held.values()];
  }

  /** Disposing gives it back. */
  take(holder: LeaseHolder): Lease & Disposable {
    const lease: Lease = { ...holder, id: randomUUID(), since: new Date() };
    this.#held.set(lease.id, lease);
    return { ...lease, [Symbol.dispose]: () => this.#held.delete(lease.id) };
  }
}
