import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LibrarySet, LibrarySetStore } from "../../../src/library-sets/model.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { OTHER, openSetScene, type SetScene, take } from "../../helpers/set-scene.ts";

const { signal } = new AbortController();

let scene: SetScene;
let store: LibrarySetStore;
let made: LibrarySet;
let dataDirectory: string;

beforeAll(async () => {
  scene = await openSetScene();
  ({ store, made, dataDirectory } = scene);
});

afterAll(() => scene[Symbol.asyncDispose]());

/** Nobody uses a set; something happens while that is looked up for the first time. */
function once(event: () => Promise<void>): () => Promise<readonly string[]> {
  let pending: (() => Promise<void>) | undefined = event;
  return async () => {
    const happens = pending;
    pending = undefined;
    await happens?.();
    return [];
  };
}

const reason = (value: string) => expect.objectContaining({ reason: value });

describe("a name", () => {
  it.each(["", "../x", "Upper", "a/b", ".hidden", "x".repeat(65)])("can't be %j", async (name) => {
    await expect(store.create(draftOf(name, ["acme@1.0.0"], scene.root), { signal })).rejects.toEqual(
      reason("INVALID_LIBRARY_SET"),
    );
    await expect(store.byName(name)).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
  });

  it("that is wrong is told with the one that is near", async () => {
    await expect(store.look("warehous")).rejects.toMatchObject({
      reason: "LIBRARY_SET_NOT_FOUND",
      message: 'there is no library set "warehous"; did you mean "warehouse"?',
    });
    await expect(store.remove("nothing-like-it", { signal })).rejects.toMatchObject({
      message: 'there is no library set "nothing-like-it"',
    });
  });

  it("goes to one of two administrators who want it at once, and to both for the same set", async () => {
    await using second = await openSets(dataDirectory, OTHER);
    const told = (asked: Promise<LibrarySet>) =>
      asked.then(
        ({ hash }) => hash,
        (error) => error.reason,
      );
    const [same, alike] = await Promise.all(
      [store, second].map((by) => told(take(by, scene.otherArchive, { name: "either" }))),
    );
    expect(same).toMatch(/^[0-9a-f]{64}$/);
    expect(alike).toBe(same);
    const [one, two] = await Promise.all([
      told(take(store, scene.archive, { name: "both" })),
      told(take(second, scene.otherArchive, { name: "both" })),
    ]);
    const { hash } = await second.byName("both");
    expect([one, two].sort()).toEqual([hash, "LIBRARY_SET_EXISTS"].sort());
    expect(await scene.staged()).toEqual([]);
    await store.remove("both", { signal });
    await expect(store.byName("both")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
  });

  it("can be moved to another set, while whoever works with the old one still has it", async () => {
    const { hash } = await take(store, scene.archive, { name: "either", replace: true });
    expect(hash).toBe(made.hash);
    expect((await store.byName("either")).hash).toBe(hash);
    expect(await readdir(join(dataDirectory, "library-sets"))).toHaveLength(4);
  });

  it("is not taken away from those who use it, also where they say so in between", async () => {
    const users = [[], ['driver 7 of profile "default"'], [], []] as string[][];
    await using used = await openSets(dataDirectory, OTHER, { users: async () => users.shift() ?? [] });
    await scene.point("used", made.hash);
    const refused = used.remove("used", { signal });
    await expect(refused).rejects.toMatchObject({
      reason: "LIBRARY_SET_IN_USE",
      message: expect.stringContaining("driver 7"),
    });
    expect((await used.byName("used")).hash).toBe(made.hash);
    await used.remove("used", { signal });
    await expect(used.remove("used", { signal })).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
  });

  it("that somebody else takes away at the same moment is not there", async () => {
    await scene.point("twice", made.hash);
    const first = () => store.remove("twice", { signal });
    await using second = await openSets(dataDirectory, OTHER, { users: once(first) });
    await expect(second.remove("twice", { signal })).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
    expect(await scene.staged()).toEqual([]);
  });

  it("that is given to another set at the same moment stays with it", async () => {
    await scene.point("moved", made.hash);
    const move = () => scene.point("moved", "b".repeat(64));
    await using second = await openSets(dataDirectory, OTHER, { users: once(move) });
    await expect(second.remove("moved", { signal })).rejects.toEqual(reason("DEFINITION_CHANGED"));
    expect(await store.look("moved")).toMatchObject({ hash: "b".repeat(64) });
    expect(await scene.staged()).toEqual([]);
    await store.remove("moved", { signal });
  });

  it("comes back where its driver died before it had taken it away, unless it belongs to another set", async () => {
    await scene.point("lost", made.hash);
    const taken: { name: string; text: string }[] = [];
    const second = await openSets(dataDirectory, OTHER, {
      users: async () => {
        for (const name of await scene.staged())
          taken.push({ name, text: await readFile(join(dataDirectory, "library-sets/staging", name), "utf8") });
        return [];
      },
    });
    await second.remove("lost", { signal });
    await second[Symbol.asyncDispose]();
    expect(taken).toHaveLength(1);
    await expect(store.byName("lost")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
    const [{ name, text } = { name: "", text: "" }] = taken;
    const asItWas = () => writeFile(join(dataDirectory, "library-sets/staging", name), text);
    await asItWas();
    await store.sweep((_, takeAway) => takeAway());
    expect((await store.byName("lost")).hash).toBe(made.hash);
    await asItWas();
    await scene.point("lost", "c".repeat(64));
    await store.sweep((_, takeAway) => takeAway());
    expect(await store.look("lost")).toMatchObject({ hash: "c".repeat(64) });
    expect(await scene.staged()).toEqual([]);
    await store.remove("lost", { signal });
  });
});

describe("a name's file that others wrote", () => {
  it.each(["yesterday", 7, null])("says the set whatever it says of the time: %j", async (createTime) => {
    await writeFile(
      join(dataDirectory, "library-sets/names/odd.json"),
      JSON.stringify({ hash: made.hash, createTime }),
    );
    const { createTime: told } = await store.byName("odd");
    expect(told).toEqual(new Date(0));
    await store.remove("odd", { signal });
  });
});
