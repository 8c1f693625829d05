import { createHash } from "node:crypto";
import type { DriverError } from "../errors/driver-error.ts";
import { canonicalJson } from "../operations/identity.ts";
import type { Owner } from "../operations/owner.ts";
import { CompiledScope, restrictionOf } from "./compiled-scope.ts";
import type { Access, Restriction, Role, Scope } from "./model.ts";

/** What somebody was let in with. */
export interface Bearer {
  readonly principal: string;
  /** Undefined: the token of the token file. */
  readonly tokenId: string | undefined;
  readonly role: Role;
  /** Undefined: without bounds. */
  readonly scope: CompiledScope | undefined;
  /** Why it holds no more, if so. */
  readonly refusal?: () => DriverError | undefined;
  /** Why its token is at an end, if so: one that has another text by now is not. */
  readonly end?: () => DriverError | undefined;
}

/** What a call says of itself. */
export interface Narrowing {
  readonly endUser: string | undefined;
  /** What the end user may see; the token's own scope holds, too. */
  readonly scope: Scope | undefined;
}

export function createAccess(bearer: Bearer, { endUser, scope }: Narrowing): Access {
  const scopes = [...(bearer.scope ? [bearer.scope] : []), ...(scope ? [new CompiledScope(scope)] : [])];
  // Who calls for somebody with less to see is no administrator then: else tokens and connections would be a way around.
  const role = scope !== undefined && bearer.role === "admin" ? "loader" : bearer.role;
  return new BoundAccess({ ...bearer, role }, endUser, scopes);
}

class BoundAccess implements Access {
  readonly principal: string;
  readonly tokenId: string | undefined;
  readonly role: Role;
  readonly endUser: string | undefined;
  readonly #scopes: readonly CompiledScope[];
  #scopeHash: string | undefined;

  constructor({ principal, tokenId, role }: Bearer, endUser: string | undefined, scopes: readonly CompiledScope[]) {
    this.principal = principal;
    this.tokenId = tokenId;
    this.role = role;
    this.endUser = endUser;
    this.#scopes = scopes.filter((scope) => !scope.unbounded);
  }

  get owner(): Owner {
    const principal = this.tokenId ?? this.principal;
    return this.endUser === undefined ? { principal } : { principal, endUser: this.endUser };
  }

  get unbounded(): boolean {
    return this.#scopes.length === 0;
  }

  get restricted(): boolean {
    return this.#scopes.some((scope) => scope.restricts);
  }

  get scopeHash(): string {
    this.#scopeHash ??= this.unbounded ? "" : hashOf(this.#scopes);
    return this.#scopeHash;
  }

  mayRead(dataset: string): boolean {
    return this.#scopes.every((scope) => scope.grants(dataset));
  }

  restriction(dataset: string): Restriction | undefined {
    return this.unbounded ? undefined : restrictionOf(this.#scopes, dataset);
  }

  owns(owner: Owner | undefined): boolean {
    if (this.role === "admin") return true;
    const own = this.owner;
    // An app server that names nobody cares for all of its end users.
    return owner?.principal === own.principal && (own.endUser === undefined || owner.endUser === own.endUser);
  }
}

function hashOf(scopes: readonly CompiledScope[]): string {
  const texts = scopes.map(({ scope }) => canonicalJson(normal(scope))).sort();
  return createHash("sha256").update(JSON.stringify(texts)).digest("base64url");
}

/** The same text for the same scope: in no list does the order mean anything. */
function normal({ datasets, rows, hidden }: Scope): unknown {
  return {
    datasets: [...new Set(datasets)].sort(),
    rows: rows.map((rule) => canonicalJson(rule)).sort(),
    hidden: hidden.map(({ dataset, columns }) => JSON.stringify([dataset, [...columns].sort()])).sort(),
  };
}

/** Who shows no token, where none is asked for. */
export const NOBODY: Access = createAccess(
  { principal: "", tokenId: "", role: "reader", scope: new CompiledScope({ datasets: [], rows: [], hidden: [] }) },
  { endUser: undefined, scope: undefined },
);
