import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Catalog, openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance } from "../../../src/catalog/instance.ts";
import type { TokenKeyRecord, TokenRecord } from "../../../src/catalog/tokens.ts";

let folder: string;
let stack: AsyncDisposableStack;
let one: Catalog;
let other: Catalog;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-tokens-"));
  stack = new AsyncDisposableStack();
  const open = async (id: string) => {
    const instance = stack.use(await claimInstance({ dataDirectory: folder, id }));
    return stack.use(await openCatalog({ dataDirectory: folder, instance }));
  };
  [one, other] = [await open("one"), await open("other")];
});

afterEach(async () => {
  await stack[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function token(id: string, name: string, currentKey: string): TokenRecord {
  const kept = { id, name, currentKey, role: "reader", scope: undefined, createdBy: "me", createTime: 1 };
  return { ...kept, lifetimeMs: undefined, revokeTime: undefined };
}

function key(text: string, expireTime?: number): TokenKeyRecord {
  return { key: text, sha256: `digest of ${text}`, createTime: 1, expireTime, useTime: undefined };
}

test("what one process writes is seen by the next look of another, and by its own", async () => {
  await one.tokens.insert(token("1", "shop", "a"), key("a"));
  for (const { tokens } of [one, other]) {
    expect(tokens.find("a")).toMatchObject({ sha256: "digest of a", token: { id: "1", name: "shop" } });
    expect(tokens.find("b")).toBeUndefined();
  }
  await other.tokens.rotate("shop", key("b"), { previousEnd: 500, lifetimeMs: 7 });
  for (const { tokens } of [one, other]) {
    expect(tokens.find("a")).toMatchObject({ expireTime: 500, token: { currentKey: "b", lifetimeMs: 7 } });
    expect(tokens.find("b")).toMatchObject({ expireTime: undefined, token: { id: "1" } });
  }
  await one.tokens.revoke("SHOP", 900);
  for (const { tokens } of [one, other]) expect(tokens.find("b")).toMatchObject({ token: { revokeTime: 900 } });
});

test("a text that ends earlier than the grace time is not given more", async () => {
  await one.tokens.insert(token("1", "shop", "a"), key("a", 300));
  await one.tokens.rotate("shop", key("b"), { previousEnd: 500, lifetimeMs: undefined });
  expect(one.tokens.find("a")).toMatchObject({ expireTime: 300 });
});

test("two processes that make a token of one name at once make one", async () => {
  const made = await Promise.all([
    one.tokens.insert(token("1", "shop", "a"), key("a")),
    other.tokens.insert(token("2", "Shop", "b"), key("b")),
  ]);
  expect(made.sort()).toEqual([false, true]);
  expect(await one.tokens.list()).toHaveLength(1);
});

test("what ended long ago is forgotten, but for the present text of a token", async () => {
  await one.tokens.insert(token("1", "kept", "a"), key("a", 100));
  await one.tokens.rotate("kept", key("b", 200), { previousEnd: 100, lifetimeMs: undefined });
  await one.tokens.insert(token("2", "revoked", "c"), key("c"));
  await one.tokens.revoke("revoked", 300);
  await one.tokens.insert(token("3", "revoked", "d"), key("d"));
  await one.tokens.prune(1_000);
  const found = ["a", "b", "c", "d"].map((each) => other.tokens.find(each) !== undefined);
  expect(found).toEqual([false, true, false, true]);
  expect((await other.tokens.list()).map(({ id }) => id).sort()).toEqual(["1", "3"]);
});
