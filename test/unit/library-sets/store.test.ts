import { execFile } from "node:child_process";
import { appendFile, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InstallProgress, LibrarySet, LibrarySetStore } from "../../../src/library-sets/model.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { integrityOf, lockfileFor, packPackage } from "../../helpers/npm-packages.ts";
import { allOf, take } from "../../helpers/set-scene.ts";
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
});

afterAll(() => stack.disposeAsync());

/** A script that tells what it can see. */
const MADE = {
  "made.js": `require("node:fs").writeFileSync("made.json", JSON.stringify(Object.keys(process.env)));`,
};

const create = (name: string, asked: readonly string[], more: Parameters<typeof draftOf>[3] = {}, folder = packages) =>
  store.create(draftOf(name, asked, folder, more), { signal });
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

  it("holds what packages have in their own tarballs", async () => {
    const folder = join(root, "bundled");
    await packPackage(folder, {
      name: "carrier",
      manifest: { dependencies: { inner: "^1.0.0", helper: "^1.0.0" }, bundleDependencies: ["inner"] },
      files: {
        "node_modules/inner/package.json": JSON.stringify({ name: "inner", version: "1.3.0" }),
        "node_modules/inner/index.js": "",
      },
    });
    await packPackage(folder, { name: "helper", version: "1.2.0" });
    const { manifest } = await create("bundled", ["carrier@1.0.0"], {}, folder);
    const inner = "node_modules/carrier/node_modules/inner";
    expect(manifest.packages.map(({ path, version }) => [path, version])).toEqual([
      ["node_modules/carrier", "1.0.0"],
      [inner, "1.3.0"],
      ["node_modules/helper", "1.2.0"],
    ]);
    expect(manifest.files.map(({ path }) => path)).toContain(`${inner}/index.js`);
    const archive = await allOf(store.export("bundled", { signal }));
    expect(await take(store, archive, { name: "bundled" })).toMatchObject({ manifest });
    await store.remove("bundled", { signal });
  });

  it("is gone where the one who asked has left", async () => {
    const left = new AbortController();
    const asked = store.create(draftOf("left", [], packages, { lockfile: locks.acme }), {
      signal: left.signal,
      onProgress: ({ phase }) => phase === "fetching" && left.abort(new Error("left")),
    });
    await expect(asked).rejects.toThrow("left");
    expect(await staged()).toEqual([]);
    await expect(store.byName("left")).rejects.toEqual(reason("LIBRARY_SET_NOT_FOUND"));
  });

  it("can't be written", async () => {
    const file = join(store.folderOf(made.hash), "node_modules/acme/index.js");
    if (process.getuid?.() !== 0) await expect(appendFile(file, " ")).rejects.toThrow("EACCES");
    expect((await readFile(join(store.folderOf(made.hash), "set.json"), "utf8")).length).toBeGreaterThan(100);
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
