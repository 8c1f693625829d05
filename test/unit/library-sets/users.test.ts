import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Catalog, openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance, type Instance } from "../../../src/catalog/instance.ts";
import { createFindUsers } from "../../../src/library-sets/users.ts";
import { librarySet } from "../../helpers/set-manifests.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const warehouse = librarySet("warehouse", "a");
const uses = [{ name: "warehouse", hash: warehouse.hash, profile: "night", pid: 7, host: "db-1" }];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let instances: Instance[];
let catalogs: Catalog[];

beforeEach(async () => {
  folder = await temporaryFolder();
  instances = await Promise.all(["one", "two"].map((id) => claimInstance({ dataDirectory: folder.path, id })));
  catalogs = [];
  for (const instance of instances) catalogs.push(await openCatalog({ dataDirectory: folder.path, instance }));
});

afterEach(async () => {
  for (const catalog of catalogs) await catalog[Symbol.asyncDispose]();
  for (const instance of instances) await instance[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const catalog = (index: number) => catalogs[index] as Catalog;

describe("the users of a library set", () => {
  const find = () => createFindUsers({ dataDirectory: folder.path, uses: catalog(0).librarySets })(warehouse);

  test("are the drivers that live with it, by profile, process and host", async () => {
    expect(await find()).toEqual([]);
    await catalog(1).librarySets.hold(uses);
    expect(await find()).toEqual(['driver 7 of profile "night" on db-1']);
    await catalog(1)[Symbol.asyncDispose]();
    expect(await find()).toEqual([]);
  });

  test("are no drivers that have died, though nobody has cleared up after them", async () => {
    await catalog(1).librarySets.hold(uses);
    await instances[1]?.[Symbol.asyncDispose]();
    expect(await find()).toEqual([]);
  });

  test("are drivers, too, that work with what the name pointed to before", async () => {
    await catalog(1).librarySets.hold(uses.map((use) => ({ ...use, hash: "b".repeat(64) })));
    expect(await find()).toEqual(['driver 7 of profile "night" on db-1, with what the name pointed to before']);
  });

  test("are the profiles that name it, each with its place", async () => {
    const profiles = join(folder.path, "profiles");
    await mkdir(profiles);
    await writeFile(join(profiles, "a.toml"), '[librarySets.kinds]\npostgres = "warehouse"\n');
    await writeFile(join(profiles, "b.toml"), 'librarySets.sources = { "s-*" = "warehouse" }\n');
    await writeFile(join(profiles, "c.toml"), 'log.level = "warehouse"\nlibrarySets.kinds = { mysql = "other" }\n');
    await writeFile(join(profiles, "d.toml"), "librarySets.kinds = { mysql = 'warehouse'\n");
    await writeFile(join(profiles, "e.toml.old"), 'librarySets.kinds = { mysql = "warehouse" }\n');
    expect(await find()).toEqual([
      "librarySets.kinds in profiles/a.toml:1",
      "librarySets.sources in profiles/b.toml:1",
      "profiles/d.toml, which can't be read as it is",
    ]);
  });
});

describe("a set that somebody takes away", () => {
  test("stays while a driver lives with it, and goes afterwards", async () => {
    let gone = 0;
    const takeAway = () =>
      catalog(0).librarySets.unlessUsed(warehouse.hash, async () => {
        gone++;
      });
    await catalog(1).librarySets.hold(uses);
    expect(await takeAway()).toBe(false);
    expect(gone).toBe(0);
    await catalog(1)[Symbol.asyncDispose]();
    expect(await takeAway()).toBe(true);
    expect(gone).toBe(1);
  });
});
