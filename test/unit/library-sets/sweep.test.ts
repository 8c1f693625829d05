import { mkdir, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { LibrarySet, LibrarySetStore, UnlessUsed } from "../../../src/library-sets/model.ts";
import { PublishedSets } from "../../../src/library-sets/published-sets.ts";
import { SetNames } from "../../../src/library-sets/set-names.ts";
import { openSets } from "../../helpers/library-sets.ts";
import { FIRST, OTHER, openSetScene, type SetScene, take } from "../../helpers/set-scene.ts";

const { signal } = new AbortController();

let scene: SetScene;
let store: LibrarySetStore;
let made: LibrarySet;

beforeAll(async () => {
  scene = await openSetScene();
  ({ store, made } = scene);
});

afterAll(() => scene[Symbol.asyncDispose]());
afterEach(() => void vi.restoreAllMocks());

const reason = (value: string) => expect.objectContaining({ reason: value });

/** No driver works with any set. */
const nobody: UnlessUsed = (_, takeAway) => takeAway();

describe("what is left over", () => {
  const old = new Date(Date.now() - 2 * 3_600_000);
  let hash: string;

  beforeAll(async () => {
    ({ hash } = await again());
  });

  const again = () => take(store, scene.otherArchive, { name: "brief" });
  /** As long ago as nobody needs it any more. */
  const abandon = async () => {
    await store.remove("brief", { signal });
    await utimes(store.folderOf(hash), old, old);
  };

  it("is swept once its driver is dead, and sets without a name once nobody uses them", async () => {
    const staging = join(scene.dataDirectory, "library-sets", "staging");
    await mkdir(join(staging, `${OTHER}-dead`));
    await mkdir(join(staging, `${FIRST}-alive`));
    await utimes(store.folderOf(hash), old, old);
    await store.remove("brief", { signal });
    await store.sweep(nobody);
    expect(await scene.staged()).toEqual([`${FIRST}-alive`]);
    await rm(join(staging, `${FIRST}-alive`), { recursive: true });
    // It had a name just now: it may be about to get one again.
    await store.verify(hash, { signal });
    for (const each of [hash, made.hash]) await utimes(store.folderOf(each), old, old);
    await store.sweep((each, takeAway) => (each === hash ? Promise.resolve() : takeAway()));
    await store.verify(hash, { signal });
    await store.sweep(nobody);
    await expect(store.verify(hash, { signal })).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
    await store.verify(made.hash, { signal });
  });

  it("is no set that is being published again and has no name yet", async () => {
    await again();
    await abandon();
    await store.sweep(async (each, takeAway) => {
      // Somebody finds it whole.
      if (each === hash) await utimes(store.folderOf(hash), new Date(), new Date());
      await takeAway();
    });
    await store.verify(hash, { signal });
  });

  it("is no set that gets its name while it is taken away", async () => {
    await again();
    await abandon();
    const moveAside = PublishedSets.prototype.moveAside;
    vi.spyOn(PublishedSets.prototype, "moveAside").mockImplementationOnce(async function (
      this: PublishedSets,
      ...args
    ) {
      await moveAside.apply(this, args);
      await scene.point("brief", hash);
    });
    await store.sweep(nobody);
    expect((await store.byName("brief")).hash).toBe(hash);
    await store.verify(hash, { signal });
  });

  it("is no set that is taken away while it gets its name", async () => {
    await again();
    await store.remove("brief", { signal });
    const set = SetNames.prototype.set;
    const naming = vi.spyOn(SetNames.prototype, "set").mockImplementationOnce(async function (this: SetNames, ...args) {
      await rm(store.folderOf(hash), { recursive: true });
      return set.apply(this, args);
    });
    await again();
    expect(naming).toHaveBeenCalledTimes(2);
    expect((await store.byName("brief")).hash).toBe(hash);
    await store.verify(hash, { signal });
  });

  it("is nothing of a set that somebody deletes by hand while it gets its name: whoever makes it is told", async () => {
    await store.remove("brief", { signal });
    await rm(store.folderOf(hash), { recursive: true });
    const { set } = SetNames.prototype;
    vi.spyOn(SetNames.prototype, "set").mockImplementationOnce(async function (this: SetNames, ...args) {
      const pointer = await set.apply(this, args);
      await rm(store.folderOf(hash), { recursive: true });
      return pointer;
    });
    await expect(again()).rejects.toEqual(reason("LIBRARY_SET_DAMAGED"));
    expect(await scene.staged()).toEqual([]);
    await again();
    await store.verify(hash, { signal });
  });

  it("is no set whose name is just taken away, and given back", async () => {
    await again();
    await utimes(store.folderOf(hash), old, old);
    // Once the name is gone, somebody is found who uses it.
    const users = [async () => [], async () => store.sweep(nobody).then(() => ["driver 7"])];
    await using removing = await openSets(scene.dataDirectory, OTHER, {
      users: async () => (await users.shift()?.()) ?? [],
    });
    await expect(removing.remove("brief", { signal })).rejects.toEqual(reason("LIBRARY_SET_IN_USE"));
    expect((await store.byName("brief")).hash).toBe(hash);
  });
});
