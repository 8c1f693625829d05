import { appendFile, chmod, cp, mkdir, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { LibrarySet, LibrarySetStore } from "../../../src/library-sets/model.ts";
import { PublishedSets } from "../../../src/library-sets/published-sets.ts";
import { SetNames } from "../../../src/library-sets/set-names.ts";
import { openSets } from "../../helpers/library-sets.ts";
import { allOf, OTHER, openSetScene, type SetScene, take } from "../../helpers/set-scene.ts";

const { signal } = new AbortController();
const NOBODY = 65_534;

let scene: SetScene;
let store: LibrarySetStore;
let made: LibrarySet;

beforeAll(async () => {
  scene = await openSetScene();
  ({ store, made } = scene);
});

afterAll(() => scene[Symbol.asyncDispose]());
afterEach(() => void vi.restoreAllMocks());

const again = (by = store) => take(by, scene.archive, { name: "warehouse", replace: true });
const reason = (value: string) => expect.objectContaining({ reason: value });

describe("damage", () => {
  it.each([
    [
      "a file that was altered",
      async (folder: string) => {
        const file = join(folder, "node_modules/acme/index.js");
        await chmod(file, 0o644);
        await writeFile(file, "module.exports = 'evil';");
      },
    ],
    ["a file that is missing", (folder: string) => rm(join(folder, "node_modules/helper/index.js"))],
    ["a file that was added", (folder: string) => writeFile(join(folder, "node_modules/acme/evil.js"), "")],
    ["a link that was added", (folder: string) => symlink("/etc/passwd", join(folder, "node_modules/acme/link"))],
    [
      "a manifest that was altered",
      async (folder: string) => {
        await chmod(join(folder, "set.json"), 0o644);
        await appendFile(join(folder, "set.json"), " ");
      },
    ],
    ["a folder that is gone", (folder: string) => rm(folder, { recursive: true })],
  ])("is found: %s", async (_what, harm) => {
    const folder = store.folderOf(made.hash);
    const whole = join(scene.root, "whole");
    await cp(folder, whole, { recursive: true });
    await harm(folder);
    const found = { reason: expect.stringMatching(/^LIBRARY_SET_(DAMAGED|NOT_FOUND)$/) };
    await expect(store.verify(made.hash, { signal })).rejects.toMatchObject(found);
    await expect(allOf(store.export("warehouse", { signal }))).rejects.toMatchObject(found);
    await rm(folder, { recursive: true, force: true });
    await rename(whole, folder);
    await store.verify(made.hash, { signal });
  });

  it("is mended by making the same set once more", async () => {
    const file = join(store.folderOf(made.hash), "node_modules/helper/index.js");
    await rm(file);
    await again();
    await store.verify(made.hash, { signal });
  });

  it("is out of the way before it is removed, so that no set is missed for as long as that takes", async () => {
    await rm(join(store.folderOf(made.hash), "node_modules/helper/index.js"));
    const seen: (readonly string[])[] = [];
    const touch = PublishedSets.prototype.touch;
    vi.spyOn(PublishedSets.prototype, "touch").mockImplementation(async function (this: PublishedSets, ...args) {
      const isThere = await touch.apply(this, args);
      if (!isThere) seen.push(await scene.staged());
      return isThere;
    });
    await again();
    expect(seen).toEqual([expect.arrayContaining([expect.stringContaining(".damaged")])]);
    expect(await scene.staged()).toEqual([]);
    await store.verify(made.hash, { signal });
  });

  it("is mended by two drivers at once, and what one has mended is not taken away by the other", async () => {
    await using second = await openSets(scene.dataDirectory, OTHER);
    await rm(join(store.folderOf(made.hash), "node_modules/helper/index.js"));
    const found = Promise.withResolvers<void>();
    const mended = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const { verify, moveAside } = PublishedSets.prototype;
    const { set } = SetNames.prototype;
    // One finds the damage, and does nothing about it until the other is about to name what it has mended.
    vi.spyOn(PublishedSets.prototype, "verify").mockImplementationOnce(async function (this: PublishedSets, ...args) {
      const refused = await verify.apply(this, args).catch((error: unknown) => error);
      found.resolve();
      await mended.promise;
      throw refused;
    });
    const late = again();
    await found.promise;
    const moved = vi.spyOn(PublishedSets.prototype, "moveAside");
    vi.spyOn(SetNames.prototype, "set").mockImplementationOnce(async function (this: SetNames, ...args) {
      moved.mockImplementationOnce(async function (this: PublishedSets, ...args) {
        await moveAside.apply(this, args);
        taken.resolve();
        await early.catch(() => undefined);
      });
      mended.resolve();
      await Promise.race([late, taken.promise]);
      return set.apply(this, args);
    });
    const early = again(second);
    expect((await Promise.all([early, late])).map(({ hash }) => hash)).toEqual([made.hash, made.hash]);
    expect(moved).toHaveBeenCalledOnce();
    expect(await scene.staged()).toEqual([]);
    await store.verify(made.hash, { signal });
  });
});

describe("a set of another user", () => {
  it("is the same one, though its time stays as it is", async () => {
    const { dataDirectory, root } = scene;
    const folder = store.folderOf(made.hash);
    await utimes(folder, 1_000_000, 1_000_000);
    await chmod(root, 0o711);
    for (const each of ["", "library-sets", "library-sets/names", "library-sets/staging"])
      await chmod(join(dataDirectory, each), 0o777);
    for (const each of ["", "node_modules", "node_modules/acme", "node_modules/helper"])
      await chmod(join(folder, each), 0o755);
    // Only root can be somebody else.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      expect(await again()).toMatchObject({ hash: made.hash });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    if (isRoot) expect((await stat(folder)).mtimeMs).toBe(1_000_000_000);
    expect(await scene.staged()).toEqual([]);
    await store.verify(made.hash, { signal });
  });
});

describe("a set that can't be read", () => {
  const folder = () => store.folderOf(made.hash);
  const pointer = () => join(scene.dataDirectory, "library-sets/names/warehouse.json");

  it.each([
    [
      "its manifest was altered",
      async () => {
        await chmod(join(folder(), "set.json"), 0o644);
        await appendFile(join(folder(), "set.json"), " ");
      },
      "set.json was altered",
    ],
    ["its manifest is missing", () => rm(join(folder(), "set.json")), "set.json is missing"],
    [
      "its manifest is a folder",
      async () => {
        await rm(join(folder(), "set.json"));
        await mkdir(join(folder(), "set.json"));
      },
      "set.json can't be read",
    ],
    ["its folder is gone", () => rm(folder(), { recursive: true }), "its files are gone"],
    [
      "its folder is a file",
      async () => {
        await rm(folder(), { recursive: true });
        await writeFile(folder(), "");
      },
      "set.json can't be read",
    ],
    [
      "its folder is a link that leads nowhere",
      async () => {
        await rm(folder(), { recursive: true });
        await symlink("nowhere", folder());
      },
      "set.json is missing",
    ],
    ["its name's file was altered", () => writeFile(pointer(), "{"), "the file that says what it points to"],
  ])("is seen, and mended or deleted: %s", async (_what, harm, told) => {
    const damaged = {
      name: "warehouse",
      problem: { reason: "LIBRARY_SET_DAMAGED", message: expect.stringContaining(told) },
    };
    await harm();
    expect(await store.list()).toContainEqual(expect.objectContaining({ name: "warehouse" }));
    expect((await store.list()).find(({ name }) => name === "warehouse")).toMatchObject(damaged);
    expect(await store.look("warehouse")).toMatchObject(damaged);
    await expect(store.byName("warehouse")).rejects.toMatchObject(damaged.problem);
    await again();
    await store.verify(made.hash, { signal });
    expect(await store.look("warehouse")).toMatchObject({ hash: made.hash, lockfile: expect.stringContaining("acme") });

    await harm();
    await store.remove("warehouse", { signal });
    await expect(store.look("warehouse")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
    await again();
    await store.verify(made.hash, { signal });
  });
});
