import type { DatabaseSync } from "node:sqlite";
import type { Kysely, Selectable } from "kysely";
import type { CatalogChanges } from "./changes.ts";
import type { CatalogSchema } from "./schema.ts";
import { isBusy } from "./sqlite/busy.ts";

/** A token, but for its texts. */
export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  /** JSON; undefined: everything. */
  readonly scope: string | undefined;
  readonly createdBy: string;
  readonly createTime: number;
  readonly lifetimeMs: number | undefined;
  readonly currentKey: string;
  readonly revokeTime: number | undefined;
}

/** What is kept of one text of a token. */
export interface TokenKeyRecord {
  /** The part of the text that is no secret. */
  readonly key: string;
  readonly sha256: string;
  readonly createTime: number;
  /** Undefined: never. */
  readonly expireTime: number | undefined;
  /** To a minute. */
  readonly useTime: number | undefined;
}

/** A token with all of its texts that are known yet. */
export interface TokenWithKeys extends TokenRecord {
  readonly keys: readonly TokenKeyRecord[];
}

/** One text with its token. */
export interface FoundKey extends TokenKeyRecord {
  readonly token: TokenRecord;
}

/** The tokens of a data directory. */
export interface TokenCatalog {
  /**
   * Looks in the catalog itself, at once, so that what another process has ended holds no more for the next call. Undefined where there
   * is none; "busy" where that can't be told now.
   */
  find(key: string): FoundKey | undefined | "busy";
  list(): Promise<readonly TokenWithKeys[]>;
  findByName(name: string): Promise<TokenWithKeys | undefined>;
  /** Answers false where a token of this name holds. */
  insert(token: TokenRecord, key: TokenKeyRecord): Promise<boolean>;
  /** Gives the token of a name a new text; the ones before end at `previousEnd` at the latest. Answers false where there is none. */
  rotate(
    name: string,
    key: TokenKeyRecord,
    change: { readonly previousEnd: number; readonly lifetimeMs: number | undefined },
  ): Promise<boolean>;
  /** Answers false where there is none. */
  revoke(name: string, time: number): Promise<boolean>;
  used(key: string, time: number): Promise<void>;
  /** Forgets what ended before a time: tokens that were revoked, and texts that are no token's present one. */
  prune(before: number): Promise<void>;
}

const MAX_KNOWN = 1_000;

export function createTokenCatalog(
  db: Kysely<CatalogSchema>,
  database: DatabaseSync,
  changes: Pick<CatalogChanges, "version">,
): TokenCatalog {
  // Every call asks: 30 µs in the catalog, 3 to see that nobody has written there since.
  const known = new Map<string, FoundKey>();
  let knownVersion = Number.NaN;
  const changing = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      // What this process writes has no part in the version.
      known.clear();
    }
  };
  const statement = database.prepare(`
    SELECT token_keys.*, tokens.*, token_keys.create_time AS key_create_time
    FROM token_keys JOIN tokens ON tokens.id = token_keys.token_id WHERE token_keys.key = ?
  `);
  const withKeys = async (tokens: readonly TokenRow[]): Promise<readonly TokenWithKeys[]> => {
    const keys = Map.groupBy(
      await db.selectFrom("token_keys").selectAll().orderBy("create_time").execute(),
      ({ token_id }) => token_id,
    );
    return tokens.map((row) => ({ ...fromRow(row), keys: (keys.get(row.id) ?? []).map(fromKeyRow) }));
  };
  const holding = (trx: Kysely<CatalogSchema>, name: string) =>
    trx.selectFrom("tokens").selectAll().where("name", "=", name).where("revoke_time", "is", null).executeTakeFirst();
  return {
    find(key) {
      const version = changes.version();
      if (version !== knownVersion || known.size >= MAX_KNOWN) known.clear();
      knownVersion = version;
      const seen = known.get(key);
      if (seen !== undefined) return seen;
      try {
        const row = statement.get(key) as (TokenRow & KeyRow & { readonly key_create_time: number }) | undefined;
        if (row === undefined) return undefined;
        const found = { ...fromKeyRow({ ...row, create_time: row.key_create_time }), token: fromRow(row) };
        known.set(key, found);
        return found;
      } catch (error) {
        if (isBusy(error)) return "busy";
        throw error;
      }
    },
    list: async () => withKeys(await db.selectFrom("tokens").selectAll().execute()),
    async findByName(name) {
      const row = await holding(db, name);
      return row && (await withKeys([row]))[0];
    },
    insert: (token, key) =>
      changing(
        db.transaction().execute(async (trx) => {
          if ((await holding(trx, token.name)) !== undefined) return false;
          await trx.insertInto("tokens").values(toRow(token)).execute();
          await trx.insertInto("token_keys").values(toKeyRow(key, token.id)).execute();
          return true;
        }),
      ),
    rotate: (name, key, { previousEnd, lifetimeMs }) =>
      changing(
        db.transaction().execute(async (trx) => {
          const token = await holding(trx, name);
          if (token === undefined) return false;
          await trx
            .updateTable("token_keys")
            .set({ expire_time: previousEnd })
            .where("token_id", "=", token.id)
            .where((eb) => eb.or([eb("expire_time", "is", null), eb("expire_time", ">", previousEnd)]))
            .execute();
          await trx.insertInto("token_keys").values(toKeyRow(key, token.id)).execute();
          const change = { current_key: key.key, lifetime_ms: lifetimeMs ?? null };
          await trx.updateTable("tokens").set(change).where("id", "=", token.id).execute();
          return true;
        }),
      ),
    async revoke(name, time) {
      const all = db.updateTable("tokens").set({ revoke_time: time }).where("name", "=", name);
      const { numUpdatedRows } = await changing(all.where("revoke_time", "is", null).executeTakeFirst());
      return numUpdatedRows > 0n;
    },
    used: async (key, time) =>
      void (await changing(db.updateTable("token_keys").set({ use_time: time }).where("key", "=", key).execute())),
    prune: (before) =>
      changing(
        db.transaction().execute(async (trx) => {
          await trx.deleteFrom("tokens").where("revoke_time", "<", before).execute();
          const present = trx.selectFrom("tokens");
          await trx
            .deleteFrom("token_keys")
            .where((eb) =>
              eb.or([
                eb("token_id", "not in", present.select("id")),
                eb.and([eb("expire_time", "<", before), eb("key", "not in", present.select("current_key"))]),
              ]),
            )
            .execute();
        }),
      ),
  };
}

type TokenRow = Selectable<CatalogSchema["tokens"]>;
type KeyRow = Selectable<CatalogSchema["token_keys"]>;

function fromRow(row: TokenRow): TokenRecord {
  const { id, name, role, scope, created_by, create_time, lifetime_ms, current_key, revoke_time } = row;
  return {
    ...{ id, name, role, scope: scope ?? undefined, createdBy: created_by, createTime: create_time },
    ...{ lifetimeMs: lifetime_ms ?? undefined, currentKey: current_key, revokeTime: revoke_time ?? undefined },
  };
}

function toRow({ id, name, role, scope, createdBy, createTime, lifetimeMs, currentKey }: TokenRecord): TokenRow {
  return {
    ...{ id, name, role, scope: scope ?? null, created_by: createdBy, create_time: createTime },
    ...{ lifetime_ms: lifetimeMs ?? null, current_key: currentKey, revoke_time: null },
  };
}

function fromKeyRow({ key, sha256, create_time, expire_time, use_time }: KeyRow): TokenKeyRecord {
  return {
    ...{ key, sha256, createTime: create_time },
    ...{ expireTime: expire_time ?? undefined, useTime: use_time ?? undefined },
  };
}

function toKeyRow({ key, sha256, createTime, expireTime }: TokenKeyRecord, tokenId: string): KeyRow {
  return {
    ...{ key, token_id: tokenId, sha256, create_time: createTime },
    ...{ expire_time: expireTime ?? null, use_time: null },
  };
}
