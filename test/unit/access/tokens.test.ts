import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bearer } from "../../../src/access/access.ts";
import { tokenDigest, tokenKey } from "../../../src/access/token-text.ts";
import { type TokenDraft, Tokens } from "../../../src/access/tokens.ts";
import { openCatalog } from "../../../src/catalog/catalog.ts";
import { createCatalogChanges } from "../../../src/catalog/changes.ts";
import { claimInstance } from "../../../src/catalog/instance.ts";
import type { CatalogSchema } from "../../../src/catalog/schema.ts";
import { createNodeSqliteDialect } from "../../../src/catalog/sqlite/node-sqlite-dialect.ts";
import { createTokenCatalog } from "../../../src/catalog/tokens.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const stack = new AsyncDisposableStack();
let tokens: Tokens;
let path: string;

beforeAll(async () => {
  const dataDirectory = join(stack.use(await temporaryFolder()).path, "data");
  await mkdir(dataDirectory);
  {
    await using instance = await claimInstance({ dataDirectory, id: "one" });
    await using _ = await openCatalog({ dataDirectory, instance });
  }
  path = join(dataDirectory, "catalog.sqlite");
  const database = stack.adopt(new DatabaseSync(path, { timeout: 0 }), (opened) => opened.close());
  // Who writes keeps readers out, which takes a recovery or a bad moment otherwise.
  database.exec("PRAGMA journal_mode = DELETE");
  const db = new Kysely<CatalogSchema>({ dialect: createNodeSqliteDialect(database) });
  const catalog = createTokenCatalog(db, database, createCatalogChanges(db, database));
  tokens = new Tokens(catalog, { onError: () => undefined });
});

afterAll(() => stack[Symbol.asyncDispose]());

function draft(name: string, lifetimeMs?: number): TokenDraft {
  return { name, role: "reader", scope: undefined, lifetimeMs, createdBy: "tests" };
}

function bearerOf(text: string): Bearer {
  const bearer = tokens.find(text);
  if (bearer === undefined || bearer instanceof DriverError) throw new Error("the token is refused", { cause: bearer });
  return bearer;
}

const ends = ({ refusal, end }: Bearer) => [refusal?.()?.reason, end?.()?.reason];

test("a token goes on with another text where the one that was shown ends, until it ends itself", async () => {
  const { text } = await tokens.create(draft("turned"));
  const first = bearerOf(text);
  expect(ends(first)).toEqual([undefined, undefined]);
  const next = await tokens.rotate("turned", { graceMs: 0, lifetimeMs: undefined });
  expect(ends(first)).toEqual(["TOKEN_EXPIRED", undefined]);
  const second = bearerOf(next.text);
  await tokens.rotate("turned", { graceMs: 0, lifetimeMs: 1 });
  await expect.poll(() => ends(first), { timeout: 30_000 }).toEqual(["TOKEN_EXPIRED", "TOKEN_EXPIRED"]);
  expect(ends(second)).toEqual(["TOKEN_EXPIRED", "TOKEN_EXPIRED"]);
  await tokens.revoke("turned");
  for (const bearer of [first, second]) expect(ends(bearer)).toEqual(["TOKEN_REVOKED", "TOKEN_REVOKED"]);
});

test("while the catalog is busy nobody is let in, taken for a stranger or ended", async () => {
  const { text } = await tokens.create(draft("busy"));
  const bearer = bearerOf(text);
  const key = tokenKey(text) ?? "";
  const proof = tokenDigest(text);
  expect(tokens.proofKey(key)).toBe(proof);
  using other = new DatabaseSync(path);
  // It has looked at nothing since its own last change, so that it must look in the file.
  await tokens.create(draft("another"));
  other.exec("BEGIN EXCLUSIVE");
  expect(() => tokens.proofKey(key)).toThrow(expect.objectContaining({ reason: "CATALOG_BUSY" }));
  expect(tokens.find(text)).toMatchObject({ reason: "CATALOG_BUSY" });
  expect(ends(bearer)).toEqual([undefined, undefined]);
  other.exec("ROLLBACK");
  expect(tokens.proofKey(key)).toBe(proof);
  expect(tokens.proofKey("000000000000")).toBeUndefined();
});

test("a use is noted each minute, also where the clock is set back", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const begin = new Date("2026-05-01T12:00:00Z").getTime();
    vi.setSystemTime(begin);
    const { text } = await tokens.create(draft("used"));
    const lastUse = async () => (await tokens.list()).find(({ name }) => name === "used")?.lastUseTime?.getTime();
    for (const [time, noted] of [
      [begin, begin],
      [begin + 59_000, begin],
      [begin + 60_000, begin + 60_000],
      [begin - 3_600_000, begin - 3_600_000],
      [begin - 3_541_000, begin - 3_600_000],
    ] as const) {
      vi.setSystemTime(time);
      bearerOf(text);
      await expect.poll(lastUse, { timeout: 30_000 }).toBe(noted);
    }
  } finally {
    vi.useRealTimers();
  }
});
