import { execFile } from "node:child_process";
import {
  appendFile,
  chmod,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { InstallProgress, LibrarySet, LibrarySetStore, UnlessUsed } from "../../../src/library-sets/model.ts";
import { PublishedSets } from "../../../src/library-sets/published-sets.ts";
import { SetNames } from "../../../src/library-sets/set-names.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { integrityOf, lockfileFor, packPackage } from "../../helpers/npm-packages.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();
const FIRST = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";

let stack: AsyncDisposableStack;
let root: string;
let dataDirectory: string;
let packages: string;
let store: LibrarySetStore;
/** One package that needs another, made once for all tests that only look at it. */
let made: LibrarySet;
const told: InstallProgress[] = [];
/** Of sets with one package: with them nothing has to be resolved. */
let locks: Readonly<Record<"acme" | "helper" | "scripted", string>>;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  root = stack.use(await temporaryFolder()).path;
  dataDirectory = join(root, "data");
  packages = join(root, "packages");
  await packPackage(packages, {
    name: "acme",
    manifest: {
      dependencies: { helper: "^1.0.0" },
      // Nobody has it, and it may be missing.
      optionalDependencies: { elsewhere: "^1.0.0" },
      engines: { node: ">=18" },
    },
  });
  const helper = await packPackage(packages, { name: "helper", version: "1.2.0", manifest: { license: undefined } });
  const scripted = await packPackage(packages, {
    name: "@acme/scripted",
    manifest: { scripts: { install: "node made.js" } },
    files: MADE,
  });
  store = stack.use(await openSets(dataDirectory, FIRST));
  made = await store.create(draftOf("warehouse", ["acme@1.0.0"], packages), {
    signal,
    onProgress: (progress) => told.push(progress),
  });
  locks = {
    acme: await readFile(join(store.folderOf(made.hash), "package-lock.json"), "utf8"),
    helper: lockfileFor("helper", "1.2.0", await integrityOf(helper)),
    scripted: lockfileFor("@acme/scripted", "1.0.0", await integrityOf(scripted), { hasInstallScript: true }),
  };
}, 60_000);

afterAll(() => stack.disposeAsync());
afterEach(() => void vi.restoreAllMocks());

/** Gives a name to a set, as any driver of the data directory does. */
async function point(name: string, hash: string): Promise<void> {
  const text = JSON.stringify({ name, hash, createTime: new Date(), createdBy: "ann" });
  await writeFile(join(dataDirectory, "library-sets/names", `${name}.json`), text);
}

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

/** A script that tells what it can see. */
const MADE = {
  "made.js": `require("node:fs").writeFileSync("made.json", JSON.stringify(Object.keys(process.env)));`,
};

const create = (name: string, asked: readonly string[], more: Parameters<typeof draftOf>[3] = {}, folder = packages) =>
  store.create(draftOf(name, asked, folder, more), { signal });
/** Makes a set without npm. */
const take = (by: LibrarySetStore, archive: Buffer, options: { readonly name: string; readonly replace?: boolean }) =>
  by.import(Readable.from([archive]), { replace: false, createdBy: "ann", signal, ...options });
const staged = () => readdir(join(dataDirectory, "library-sets", "staging"));
const reason = (value: string) => expect.objectContaining({ reason: value });

describe("a set that is made", () => {
  it("holds what was asked for with all that it needs, each with its hash", async () => {
    const { manifest } = await store.byName("warehouse");
    expect(manifest.asked).toEqual([{ name: "acme", version: "1.0.0" }]);
    expect(manifest.packages).toEqual([
      expect.objectContaining({
        name: "acme",
        direct: true,
        license: "MIT",
        engines: { node: ">=18" },
        scripts: "none",
      }),
      expect.objectContaining({ name: "helper", version: "1.2.0", direct: false, path: "node_modules/helper" }),
    ]);
    const folder = store.folderOf(made.hash);
    expect(manifest.files.map(({ path }) => path)).toEqual(
      ["acme/index.js", "acme/package.json", "helper/index.js", "helper/package.json"]
        .map((path) => `node_modules/${path}`)
        .concat("package-lock.json"),
    );
    await store.verify(made.hash, { signal });
    expect(
      JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8")).packages["node_modules/helper"],
    ).toEqual(expect.not.objectContaining({ resolved: expect.anything() }));
    expect(await store.byHash(made.hash)).toEqual(manifest);
  });

  it("was seen only when all of it was there, and tells how far it was", async () => {
    expect(await staged()).toEqual([]);
    expect(told.map(({ phase }) => phase)).toEqual(
      expect.arrayContaining(["resolving", "fetching", "checking", "publishing"]),
    );
    expect(told.filter(({ phase }) => phase === "fetching").at(-1)).toEqual({
      phase: "fetching",
      packages: 2,
      totalPackages: 2,
    });
  });

  it("is the same set once more, and from its lockfile, under any name", async () => {
    const lockfile = locks.acme;
    const [again, other] = await Promise.all([create("warehouse", ["acme@1.0.0"]), create("other", [], { lockfile })]);
    expect(again).toMatchObject({ hash: made.hash, createTime: made.createTime });
    expect(other.hash).toBe(made.hash);
    expect((await store.list()).map(({ name }) => name)).toEqual(["other", "warehouse"]);
    await store.remove("other", { signal });
  });

  it("can't be written", async () => {
    const file = join(store.folderOf(made.hash), "node_modules/acme/index.js");
    if (process.getuid?.() !== 0) await expect(appendFile(file, " ")).rejects.toThrow("EACCES");
    expect((await readFile(join(store.folderOf(made.hash), "set.json"), "utf8")).length).toBeGreaterThan(100);
  });
});

describe("a name", () => {
  it.each(["", "../x", "Upper", "a/b", ".hidden", "x".repeat(65)])("can't be %j", async (name) => {
    await expect(create(name, ["acme@1.0.0"])).rejects.toEqual(reason("INVALID_LIBRARY_SET"));
    await expect(store.byName(name)).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
  });

  it("goes to one of two administrators who want it at once, and to both for the same set", async () => {
    await using second = await openSets(dataDirectory, OTHER);
    const told = (asked: Promise<LibrarySet>) =>
      asked.then(
        ({ hash }) => hash,
        (error) => error.reason,
      );
    const ask = (by: LibrarySetStore) =>
      told(by.create(draftOf("either", [], packages, { lockfile: locks.helper }), { signal }));
    const [same, alike] = await Promise.all([ask(store), ask(second)]);
    expect(same).toMatch(/^[0-9a-f]{64}$/);
    expect(alike).toBe(same);
    const archives = [
      await allOf(store.export("warehouse", { signal })),
      await allOf(store.export("either", { signal })),
    ];
    const [one, two] = await Promise.all(
      archives.map((archive, index) => told(take(index === 0 ? store : second, archive, { name: "both" }))),
    );
    const { hash } = await second.byName("both");
    expect([one, two].sort()).toEqual([hash, "LIBRARY_SET_EXISTS"].sort());
    expect(await staged()).toEqual([]);
    await store.remove("both", { signal });
    await expect(store.byName("both")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
  });

  it("can be moved to another set, while whoever works with the old one still has it", async () => {
    const archive = await allOf(store.export("warehouse", { signal }));
    const { hash } = await take(store, archive, { name: "either", replace: true });
    expect(hash).toBe(made.hash);
    expect((await store.byName("either")).hash).toBe(hash);
    expect(await readdir(join(dataDirectory, "library-sets"))).toHaveLength(4);
  });

  it("is not taken away from those who use it, also where they say so in between", async () => {
    const users = [[], ['driver 7 of profile "default"'], [], []] as string[][];
    await using used = await openSets(dataDirectory, OTHER, { users: async () => users.shift() ?? [] });
    await writeFile(
      join(dataDirectory, "library-sets/names/used.json"),
      JSON.stringify({ name: "used", hash: made.hash, createTime: new Date(), createdBy: "ann" }),
    );
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
    await point("twice", made.hash);
    const first = () => store.remove("twice", { signal });
    await using second = await openSets(dataDirectory, OTHER, { users: once(first) });
    await expect(second.remove("twice", { signal })).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
    expect(await staged()).toEqual([]);
  });

  it("that is given to another set at the same moment stays with it", async () => {
    await point("moved", made.hash);
    const move = () => point("moved", "b".repeat(64));
    await using second = await openSets(dataDirectory, OTHER, { users: once(move) });
    await expect(second.remove("moved", { signal })).rejects.toEqual(reason("DEFINITION_CHANGED"));
    expect(await store.look("moved")).toMatchObject({ hash: "b".repeat(64) });
    expect(await staged()).toEqual([]);
    await store.remove("moved", { signal });
  });

  it("comes back where its driver died before it had taken it away, unless it belongs to another set", async () => {
    await point("lost", made.hash);
    const taken: { name: string; text: string }[] = [];
    const second = await openSets(dataDirectory, OTHER, {
      users: async () => {
        for (const name of await staged())
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
    await store.sweep(nobody);
    expect((await store.byName("lost")).hash).toBe(made.hash);
    await asItWas();
    await point("lost", "c".repeat(64));
    await store.sweep(nobody);
    expect(await store.look("lost")).toMatchObject({ hash: "c".repeat(64) });
    expect(await staged()).toEqual([]);
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

describe("packages that can't be had", () => {
  it.each([
    ["nosuch@1.0.0", "PACKAGE_NOT_FOUND", "nosuch"],
    ["acme@9.0.0", "PACKAGE_VERSION_NOT_FOUND", "1.0.0"],
    ["acme@^1.0.0", "PACKAGE_VERSION_INEXACT", "^1.0.0"],
    ["acme@latest", "PACKAGE_VERSION_INEXACT", "latest"],
    ["acme@", "PACKAGE_VERSION_INEXACT", "no version"],
    ["acme@file:/tmp/x.tgz", "PACKAGE_VERSION_INEXACT", "file:"],
    ["acme@npm:helper@1.2.0", "PACKAGE_VERSION_INEXACT", "acme@npm:helper"],
    ["--registry=http://x/@1.0.0", "PACKAGE_VERSION_INEXACT", "--registry"],
    ["../acme@1.0.0", "PACKAGE_VERSION_INEXACT", "../acme"],
  ])("%s: %s", async (asked, expected, told) => {
    const refused = create("never", [asked]);
    await expect(refused).rejects.toMatchObject({ reason: expected, message: expect.stringContaining(told) });
    await expect(store.byName("never")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
    expect(await staged()).toEqual([]);
  });

  const folderOf = async (name: string, draft: Parameters<typeof packPackage>[1]) => {
    const folder = join(root, name);
    return { folder, file: await packPackage(folder, draft) };
  };

  it("need another Node, or another package beside them", async () => {
    const { folder } = await folderOf("future", { name: "future", manifest: { engines: { node: ">=99" } } });
    await packPackage(folder, { name: "peer", manifest: { peerDependencies: { helper: "^2.0.0" } } });
    await packPackage(folder, { name: "helper", version: "1.2.0" });
    await packPackage(folder, { name: "helper", version: "2.0.0" });
    const refused = create("never", ["future@1.0.0"], {}, folder);
    await expect(refused).rejects.toMatchObject({
      reason: "PACKAGE_INCOMPATIBLE",
      message: expect.stringContaining(">=99"),
    });
    const conflict = create("never", ["peer@1.0.0", "helper@1.2.0"], {}, folder);
    await expect(conflict).rejects.toMatchObject({
      reason: "PACKAGE_INCOMPATIBLE",
      message: expect.stringContaining("^2.0.0"),
    });
  });

  it.each([
    ["a path above", { path: "package/../../evil.js", flag: "0" }],
    ["an absolute path", { path: "/tmp/evil.js", flag: "0" }],
    ["a path as Windows has it", { path: "package\\..\\..\\evil.js", flag: "0" }],
    ["a link", { path: "package/link", flag: "2", target: "/etc/passwd" }],
    ["a hard link", { path: "package/hard", flag: "1", target: "package/index.js" }],
  ])("hold %s", async (what, entry) => {
    const { folder } = await folderOf(`unsafe ${what}`, { name: "unsafe", entries: [entry] });
    await expect(create("never", ["unsafe@1.0.0"], {}, folder)).rejects.toEqual(reason("PACKAGE_UNSAFE"));
    expect(await staged()).toEqual([]);
  });

  it.each([
    ["a link", (path: string) => symlink(join(packages, "acme-1.0.0.tgz"), path)],
    ["a folder", (path: string) => mkdir(path)],
    ["a pipe", (path: string) => promisify(execFile)("mkfifo", [path])],
  ])("are %s in place of a file", async (what, make) => {
    const { folder } = await folderOf(`irregular ${what}`, { name: "fine" });
    await make(join(folder, "acme-1.0.0.tgz"));
    await expect(create("never", ["fine@1.0.0"], {}, folder)).rejects.toMatchObject({
      reason: "PACKAGE_DAMAGED",
      message: expect.stringContaining("acme-1.0.0.tgz is no package: it is no regular file"),
    });
  });

  it("do not have the hash that the lockfile says, or are no packages", async () => {
    const { folder, file } = await folderOf("changed", { name: "changed" });
    const lockfile = lockfileFor("changed", "1.0.0", await integrityOf(file));
    await packPackage(folder, { name: "changed", files: { "index.js": "module.exports = 'changed';" } });
    await expect(create("never", [], { lockfile }, folder)).rejects.toEqual(reason("PACKAGE_DAMAGED"));
    await writeFile(join(folder, "broken.tgz"), "no archive");
    await expect(create("never", ["changed@1.0.0"], {}, folder)).rejects.toEqual(reason("PACKAGE_DAMAGED"));
    await expect(create("never", ["changed@1.0.0"], {}, join(root, "nowhere"))).rejects.toEqual(
      reason("PACKAGE_NOT_FOUND"),
    );
  });

  it.each([
    ["no JSON", "{", "no JSON"],
    ["no packages", "{}", "packages"],
    ["a link", lockfileFor("acme", "1.0.0", "sha512-AAAA", { link: true, resolved: "../acme" }), "link"],
    [
      "Git",
      lockfileFor("acme", "1.0.0", "sha512-AAAA", { resolved: "git+ssh://git@example.com/x.git" }),
      "no registry",
    ],
    ["no hash", lockfileFor("acme", "1.0.0", ""), "no hash"],
    ["a weak hash", lockfileFor("acme", "1.0.0", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="), "no hash"],
    ["no version", lockfileFor("acme", "1.x", "sha512-AAAA"), "no exact version"],
    ["a folder beside", lockfileFor("../acme", "1.0.0", "sha512-AAAA"), "node_modules"],
  ])("a lockfile with %s can't be used", async (_what, lockfile, told) => {
    const refused = create("never", [], { lockfile });
    await expect(refused).rejects.toMatchObject({ reason: "INVALID_LOCKFILE", message: expect.stringContaining(told) });
  });
});

describe("install scripts", () => {
  it("do not run unless the package is named, and see nothing of the driver then", async () => {
    const environment = { ...process.env, DROVER_SECRET_DB: "hidden", SOME_TOKEN: "hidden" };
    await using other = await openSets(dataDirectory, OTHER, { environment });
    const draft = draftOf("scripted", ["@acme/scripted@1.0.0"], packages, { lockfile: locks.scripted });
    const quiet = await other.create(draft, { signal });
    expect(quiet.manifest.packages[0]).toMatchObject({ scripts: "skipped" });
    const paths = quiet.manifest.files.map(({ path }) => path);
    expect(paths).not.toContain("node_modules/@acme/scripted/made.json");
    const loud = await other.create({ ...draft, replace: true, allowScripts: ["@acme/scripted"] }, { signal });
    expect(loud.hash).not.toBe(quiet.hash);
    expect(loud.manifest).toMatchObject({
      packages: [{ scripts: "ran" }],
      platform: `${process.platform}-${process.arch}`,
    });
    const seen = await readFile(join(other.folderOf(loud.hash), "node_modules/@acme/scripted/made.json"), "utf8");
    expect(JSON.parse(seen)).toEqual(expect.arrayContaining(["PATH", "HOME"]));
    expect(seen).not.toMatch(/DROVER_|SOME_TOKEN/);
    await expect(create("never", [], { lockfile: locks.acme, allowScripts: ["acme"] })).rejects.toEqual(
      reason("INVALID_LIBRARY_SET"),
    );
  });
});

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
    const whole = join(root, "whole");
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
    await create("warehouse", [], { lockfile: locks.acme });
    await store.verify(made.hash, { signal });
  });

  it("is out of the way before it is removed, so that no set is missed for as long as that takes", async () => {
    await rm(join(store.folderOf(made.hash), "node_modules/helper/index.js"));
    const seen: string[][] = [];
    const touch = PublishedSets.prototype.touch;
    vi.spyOn(PublishedSets.prototype, "touch").mockImplementation(async function (this: PublishedSets, ...args) {
      const isThere = await touch.apply(this, args);
      if (!isThere) seen.push(await staged());
      return isThere;
    });
    await create("warehouse", [], { lockfile: locks.acme });
    expect(seen).toEqual([expect.arrayContaining([expect.stringContaining(".damaged")])]);
    expect(await staged()).toEqual([]);
    await store.verify(made.hash, { signal });
  });
});

describe("a set that can't be read", () => {
  const folder = () => store.folderOf(made.hash);
  const pointer = () => join(dataDirectory, "library-sets/names/warehouse.json");
  let archive: Buffer;

  beforeAll(async () => {
    archive = await allOf(store.export("warehouse", { signal }));
  });

  const again = () => take(store, archive, { name: "warehouse", replace: true });

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
    expect(await store.look("warehouse")).toMatchObject({ hash: made.hash, lockfile: locks.acme });

    await harm();
    await store.remove("warehouse", { signal });
    await expect(store.look("warehouse")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
    await again();
    await store.verify(made.hash, { signal });
  });
});

/** No driver works with any set. */
const nobody: UnlessUsed = (_, takeAway) => takeAway();

describe("what is left over", () => {
  const old = new Date(Date.now() - 2 * 3_600_000);
  let hash: string;
  let archive: Buffer;

  beforeAll(async () => {
    ({ hash } = await create("brief", [], { lockfile: locks.scripted }));
    archive = await allOf(store.export("brief", { signal }));
  });

  const again = () => take(store, archive, { name: "brief" });
  /** As long ago as nobody needs it any more. */
  const abandon = async () => {
    await store.remove("brief", { signal });
    await utimes(store.folderOf(hash), old, old);
  };

  it("is swept once its driver is dead, and sets without a name once nobody uses them", async () => {
    const staging = join(dataDirectory, "library-sets", "staging");
    await mkdir(join(staging, `${OTHER}-dead`));
    await mkdir(join(staging, `${FIRST}-alive`));
    await utimes(store.folderOf(hash), old, old);
    await store.remove("brief", { signal });
    await store.sweep(nobody);
    expect(await staged()).toEqual([`${FIRST}-alive`]);
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
      await point("brief", hash);
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

  it("is no set whose name is just taken away, and given back", async () => {
    await again();
    await utimes(store.folderOf(hash), old, old);
    // Once the name is gone, somebody is found who uses it.
    const users = [async () => [], async () => store.sweep(nobody).then(() => ["driver 7"])];
    await using removing = await openSets(dataDirectory, OTHER, { users: async () => (await users.shift()?.()) ?? [] });
    await expect(removing.remove("brief", { signal })).rejects.toEqual(reason("LIBRARY_SET_IN_USE"));
    expect((await store.byName("brief")).hash).toBe(hash);
  });

  it("is nothing where the one who asked has left", async () => {
    const left = new AbortController();
    const asked = store.create(draftOf("left", [], packages, { lockfile: locks.acme }), {
      signal: left.signal,
      onProgress: ({ phase }) => phase === "fetching" && left.abort(new Error("left")),
    });
    await expect(asked).rejects.toThrow("left");
    expect(await staged()).toEqual([]);
    await expect(store.byName("left")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
  });
});

async function allOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
