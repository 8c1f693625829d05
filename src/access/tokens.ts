import { randomUUID, timingSafeEqual } from "node:crypto";
import type { FoundKey, TokenCatalog, TokenKeyRecord, TokenRecord, TokenWithKeys } from "../catalog/tokens.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Bearer } from "./access.ts";
import { CompiledScope } from "./compiled-scope.ts";
import type { Role, Scope } from "./model.ts";
import { newTokenText, tokenDigest, tokenKey } from "./token-text.ts";

/** What an administrator wants of a token. */
export interface TokenDraft {
  readonly name: string;
  readonly role: Role;
  /** Undefined: everything. */
  readonly scope: Scope | undefined;
  /** Undefined: for ever. */
  readonly lifetimeMs: number | undefined;
  readonly createdBy: string;
}

/** A token, but for its texts. */
export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly scope: Scope | undefined;
  readonly createdBy: string;
  readonly createTime: Date;
  /** Begins its present text. */
  readonly key: string;
  readonly rotateTime: Date | undefined;
  readonly expireTime: Date | undefined;
  readonly lastUseTime: Date | undefined;
  /** Until when a text from before holds; undefined where none does. */
  readonly previousExpireTime: Date | undefined;
  readonly previousLastUseTime: Date | undefined;
  readonly revokeTime: Date | undefined;
}

/** A token whose text nobody will see again. */
export interface NewToken {
  readonly info: TokenInfo;
  readonly text: string;
}

export interface RotateOptions {
  /** How long the text before holds yet. */
  readonly graceMs: number;
  /** Undefined: as long as was said of the one before. */
  readonly lifetimeMs: number | undefined;
}

const DAY_MS = 86_400_000;
/** How long it is known of what has ended that it was there. */
const KEPT_MS = 90 * DAY_MS;
/** Every note of a use makes the other drivers look whether something has changed. */
const USE_NOTED_EVERY_MS = 60_000;
const MAX_REMEMBERED = 1_000;
/** The principal of whoever shows the token of the token file. */
const TAKEN_NAME = "owner";

/** The tokens of a data directory beside the one of the token file. */
export class Tokens {
  readonly #catalog: TokenCatalog;
  readonly #onError: (error: unknown) => void;
  /** By key: what a token allows never changes, only whether it holds. */
  readonly #bearers = new Map<string, Bearer>();
  readonly #uses = new Map<string, number>();

  constructor(catalog: TokenCatalog, { onError }: { readonly onError: (error: unknown) => void }) {
    this.#catalog = catalog;
    this.#onError = onError;
  }

  /** What a text allows; undefined for one that is no token's, and why not for one that holds no more. */
  find(text: string): Bearer | DriverError | undefined {
    const key = tokenKey(text);
    const found = key === undefined ? undefined : this.#catalog.find(key);
    if (key === undefined || found === undefined) return undefined;
    if (found === "busy") return new DriverError("CATALOG_BUSY", "whether the token holds can't be told just now");
    if (!timingSafeEqual(Buffer.from(tokenDigest(text)), Buffer.from(found.sha256))) return undefined;
    const refusal = refusalOf(found);
    if (refusal !== undefined) return refusal;
    this.#noteUse(found);
    return this.#bearerOf(found);
  }

  /** What of a token the driver has to prove itself with to whoever holds the token. */
  proofKey(key: string): string | undefined {
    const found = this.#catalog.find(key);
    // With another proof the holder would take the driver for somebody else.
    if (found === "busy") throw new DriverError("CATALOG_BUSY", "the token can't be looked up just now");
    return found?.sha256;
  }

  /** Throws TOKEN_EXISTS. */
  async create({ name, role, scope, lifetimeMs, createdBy }: TokenDraft): Promise<NewToken> {
    if (name.toLowerCase() === TAKEN_NAME)
      throw exists(name, "is the name of whoever shows the token of the token file");
    const now = Date.now();
    await this.#catalog.prune(now - KEPT_MS);
    const { text, key } = newKey(now, lifetimeMs);
    const token = {
      ...{ id: randomUUID(), name, role, scope: scope && JSON.stringify(scope), createdBy, createTime: now },
      ...{ lifetimeMs, currentKey: key.key, revokeTime: undefined },
    };
    if (!(await this.#catalog.insert(token, key))) throw exists(name, "is the name of another token");
    return { info: toInfo({ ...token, keys: [key] }, now), text };
  }

  /** In no order. */
  async list(): Promise<readonly TokenInfo[]> {
    const now = Date.now();
    return (await this.#catalog.list()).map((token) => toInfo(token, now));
  }

  /** Throws TOKEN_NOT_FOUND. */
  async rotate(name: string, { graceMs, lifetimeMs }: RotateOptions): Promise<NewToken> {
    const before = await this.#byName(name);
    const now = Date.now();
    await this.#catalog.prune(now - KEPT_MS);
    const holdsMs = lifetimeMs ?? before.lifetimeMs;
    const { text, key } = newKey(now, holdsMs);
    const change = { previousEnd: now + graceMs, lifetimeMs: holdsMs };
    if (!(await this.#catalog.rotate(name, key, change))) throw notFound(name);
    return { info: toInfo(await this.#byName(name), now), text };
  }

  /** Throws TOKEN_NOT_FOUND. */
  async revoke(name: string): Promise<TokenInfo> {
    const before = await this.#byName(name);
    const now = Date.now();
    if (!(await this.#catalog.revoke(name, now))) throw notFound(name);
    return toInfo({ ...before, revokeTime: now }, now);
  }

  async #byName(name: string): Promise<TokenWithKeys> {
    const found = await this.#catalog.findByName(name);
    if (found === undefined) throw notFound(name);
    return found;
  }

  #bearerOf({ key, token }: FoundKey): Bearer {
    const known = this.#bearers.get(key);
    if (known !== undefined) return known;
    const bearer: Bearer = {
      ...{ principal: token.name, tokenId: token.id, role: token.role as Role },
      scope: token.scope === undefined ? undefined : new CompiledScope(JSON.parse(token.scope)),
      refusal: () => this.#refusal(key, token)?.error,
      end: () => {
        const { error, currentKey = key } = this.#refusal(key, token) ?? {};
        return error === undefined || currentKey === key ? error : this.#refusal(currentKey, token)?.error;
      },
    };
    if (this.#bearers.size >= MAX_REMEMBERED) this.#bearers.clear();
    this.#bearers.set(key, bearer);
    return bearer;
  }

  /** Why a text that was right once holds no more, and which one its token has now; undefined also where that can't be told. */
  #refusal(
    key: string,
    { name }: Pick<TokenRecord, "name">,
  ): { readonly error: DriverError; readonly currentKey?: string } | undefined {
    const found = this.#catalog.find(key);
    if (found === "busy") return undefined;
    if (found === undefined) return { error: ended("TOKEN_REVOKED", name, "was revoked") };
    const error = refusalOf(found);
    return error && { error, currentKey: found.token.currentKey };
  }

  #noteUse({ key, useTime = 0 }: FoundKey): void {
    const now = Date.now();
    const sinceMs = now - Math.max(useTime, this.#uses.get(key) ?? 0);
    // A use in the time to come was noted before the clock was set back.
    if (sinceMs >= 0 && sinceMs < USE_NOTED_EVERY_MS) return;
    if (this.#uses.size >= MAX_REMEMBERED) this.#uses.clear();
    this.#uses.set(key, now);
    this.#catalog.used(key, now).catch(this.#onError);
  }
}

function newKey(now: number, lifetimeMs: number | undefined): { readonly text: string; readonly key: TokenKeyRecord } {
  const { key, text } = newTokenText();
  const expireTime = lifetimeMs === undefined ? undefined : now + lifetimeMs;
  return { text, key: { key, sha256: tokenDigest(text), createTime: now, expireTime, useTime: undefined } };
}

/** Why a text that was right once holds no more. */
function refusalOf({ key, expireTime, token }: FoundKey): DriverError | undefined {
  const { name, revokeTime, currentKey } = token;
  if (revokeTime !== undefined) return ended("TOKEN_REVOKED", name, "was revoked");
  if (expireTime === undefined || expireTime > Date.now()) return undefined;
  return ended("TOKEN_EXPIRED", name, key === currentKey ? "has expired" : "has another text by now");
}

function ended(reason: "TOKEN_REVOKED" | "TOKEN_EXPIRED", name: string, what: string): DriverError {
  return new DriverError(reason, `the token "${name}" ${what}`, { metadata: { token: name } });
}

function exists(name: string, why: string): DriverError {
  return new DriverError("TOKEN_EXISTS", `"${name}" ${why}`, { metadata: { token: name } });
}

function notFound(name: string): DriverError {
  return new DriverError("TOKEN_NOT_FOUND", `there is no token "${name}"`, { metadata: { token: name } });
}

function toInfo({ keys, ...token }: TokenWithKeys, now: number): TokenInfo {
  const { id, name, role, scope, createdBy, createTime, currentKey, revokeTime } = token;
  const current = keys.find(({ key }) => key === currentKey);
  const holds = ({ key, expireTime = 0 }: TokenKeyRecord) =>
    key !== currentKey && revokeTime === undefined && expireTime > now;
  const previous = keys.filter(holds);
  return {
    ...{ id, name, role: role as Role, createdBy, key: currentKey },
    scope: scope === undefined ? undefined : (JSON.parse(scope) as Scope),
    createTime: new Date(createTime),
    rotateTime: dateOf(current?.createTime),
    expireTime: dateOf(current?.expireTime),
    lastUseTime: dateOf(latest(keys.map(({ useTime }) => useTime))),
    previousExpireTime: dateOf(latest(previous.map(({ expireTime }) => expireTime))),
    previousLastUseTime: dateOf(latest(previous.map(({ useTime }) => useTime))),
    revokeTime: dateOf(revokeTime),
  };
}

function latest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}
