import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LibraryPackage, LibrarySetManifest, LibrarySetStore } from "../../../src/library-sets/model.ts";
import { canonicalJson } from "../../../src/operations/identity.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { packPackage, tarEntry } from "../../helpers/npm-packages.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();
const LONG = `a/${"long-".repeat(30)}/name.js`;

let stack: AsyncDisposableStack;
let dataDirectory: string;
let store: LibrarySetStore;
/** What another driver has exported. */
let archive: Buffer;
let hash: string;
/** Where they lie there. */
let folder: string;
let manifest: LibrarySetManifest;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const root = stack.use(await temporaryFolder()).path;
  const packages = join(root, "packages");
  await packPackage(packages, { name: "acme", files: { "ü ö.js": "// ü", "empty.js": "" } });
  const first = stack.use(await openSets(join(root, "first")));
  ({ hash, manifest } = await first.create(draftOf("set", ["acme@1.0.0"], packages), { signal }));
  archive = await allOf(first.export("set", { signal }));
  folder = first.folderOf(hash);
  dataDirectory = join(root, "second");
  store = stack.use(await openSets(dataDirectory));
});

afterAll(() => stack.disposeAsync());

async function allOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** In pieces, as a client sends it. */
async function* sent(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
}

const take = (bytes: Uint8Array, name = "taken", replace = false) =>
  store.import(sent(bytes), { name, replace, createdBy: "ann", signal });

/** An archive of these entries, whose manifest names other things than those of the real one. */
function archiveOf(changed: Partial<LibrarySetManifest>, ...entries: readonly (readonly Buffer[])[]): Buffer {
  const text = canonicalJson({ ...manifest, ...changed });
  const name = sha256(text);
  const named = tarEntry(`${name}/set.json`, "0", Buffer.from(text));
  return gzipSync(Buffer.concat([...named, ...entries.flat(), Buffer.alloc(1024)]));
}

/** An archive with all files of the real one, or others in their places, and a manifest that names these. */
async function whole(changed: Partial<LibrarySetManifest>, others: Readonly<Record<string, string>> = {}) {
  const texts: Record<string, string> = {};
  for (const { path } of manifest.files) texts[path] = await readFile(join(folder, path), "utf8");
  const all = Object.entries({ ...texts, ...others }).filter(([, text]) => text !== LEFT_OUT);
  const said = { files: all.map(([path, text]) => fileOf(path, text)), ...changed };
  const name = sha256(canonicalJson({ ...manifest, ...said }));
  const entries = all.flatMap(([path, text]) => [
    ...(isLong(path) ? [tarEntry("pax", "x", paxPath(`${name}/${path}`))] : []),
    tarEntry(isLong(path) ? "short" : `${name}/${path}`, "0", Buffer.from(text)),
  ]);
  return { name, bytes: archiveOf(said, ...entries) };
}

/** Behind the hash, for the 100 bytes that a header has. */
function isLong(path: string): boolean {
  return path.length > 35;
}

function paxPath(path: string): Buffer {
  const record = ` path=${path}\n`;
  const length = Buffer.byteLength(record);
  return Buffer.from(`${length + String(length + 3).length}${record}`);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function fileOf(path: string, text: string) {
  return { path, sha256: sha256(text), bytes: Buffer.byteLength(text) };
}

/** The only file of a manifest, and its place in the archive. */
function alone(path: string, text: string, flag = "0", content = text): Buffer {
  const changed = { files: [fileOf(path, text)] };
  const name = sha256(canonicalJson({ ...manifest, ...changed }));
  return archiveOf(changed, tarEntry(`${name}/${path}`, flag, Buffer.from(content), "/etc/passwd"));
}

const broken = { reason: "INVALID_ARCHIVE" };

const LEFT_OUT = "left out";
const PARSERS = { package: "acme", version: "1.0.0", module: "node_modules/acme/index.js" };
const CONNECTOR = {
  ...{ ...PARSERS, kind: "acme", interface: 1 },
  descriptor: { kind: "acme", summary: "", extensions: [], options: {} },
};

async function lockedTo(os: string): Promise<string> {
  const lockfile = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8"));
  lockfile.packages["node_modules/acme"].os = [os];
  return JSON.stringify(lockfile);
}

it("what was exported is taken as the same set, whatever its names", async () => {
  expect(await take(archive)).toMatchObject({ name: "taken", hash, createdBy: "ann" });
  expect((await store.byName("taken")).manifest).toEqual(manifest);
  await store.verify(hash, { signal });
  expect(gunzipSync(archive).subarray(0, 73).toString()).toBe(`${hash}/set.json`);
});

it.each([
  ["is cut off", () => archive.subarray(0, archive.length / 2)],
  ["is cut off before its last bytes", () => archive.subarray(0, -4)],
  ["is empty", () => Buffer.alloc(0)],
  ["is no archive", () => Buffer.from("hello")],
  ["is a tar that ends too early", () => gzipSync(gunzipSync(archive).subarray(0, -1024))],
  [
    "goes on behind its end",
    () => gzipSync(Buffer.concat([gunzipSync(archive), ...tarEntry("x", "0", Buffer.from("x"))])),
  ],
  ["does not end for long", () => gzipSync(Buffer.concat([gunzipSync(archive), Buffer.alloc(2 * 2 ** 20)]))],
  ["holds no set", () => gzipSync(Buffer.alloc(1024))],
  ["begins with a file", () => gzipSync(Buffer.concat([...tarEntry("x", "0", Buffer.from("x")), Buffer.alloc(1024)]))],
  [
    "is changed in its manifest",
    () => {
      const tar = gunzipSync(archive);
      tar.write("MIX", tar.indexOf('"license":"MIT"') + 11);
      return gzipSync(tar);
    },
  ],
  [
    "is changed in a file",
    () => {
      const tar = gunzipSync(archive);
      tar.write("exec", tar.indexOf("module.exports"));
      return gzipSync(tar);
    },
  ],
  ["lacks a file", () => archiveOf({})],
  [
    "has a file more",
    () => archiveOf({ files: [] }, tarEntry("x/node_modules/acme/evil.js", "0", Buffer.from("evil"))),
  ],
  [
    "has a file twice",
    () => {
      const tar = gunzipSync(alone("node_modules/a/b.js", "x"));
      return gzipSync(Buffer.concat([tar.subarray(0, -1024), tar.subarray(-2048)]));
    },
  ],
  ["has a link", () => alone("node_modules/acme/link", "", "2")],
  ["has a hard link", () => alone("node_modules/acme/link", "", "1")],
  ["has a path that leaves it", () => alone("node_modules/../../../evil.js", "evil")],
  ["has a path at its top", () => alone("evil.js", "evil")],
  ["has an absolute path", () => alone("/tmp/evil.js", "evil")],
  ["has a longer file than it says", () => alone("node_modules/acme/a.js", "a", "0", "aaa")],
  ["has another file than it says", () => alone("node_modules/acme/a.js", "a", "0", "b")],
  ["was made by a newer driver", () => archiveOf({ format: 2 as 1 })],
])("one that %s is refused, and nothing of it stays", async (_what, bytes) => {
  await expect(take(bytes(), "broken")).rejects.toMatchObject(broken);
  await expect(store.byName("broken")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
  expect(await readdir(join(dataDirectory, "library-sets", "staging"))).toEqual([]);
  expect((await readdir(join(dataDirectory, "library-sets"))).sort()).toEqual([hash, "names", "staging"].sort());
});

it("one for another system is refused", async () => {
  const foreign = archiveOf({ platform: "plan9-mips" });
  await expect(take(foreign)).rejects.toMatchObject({ reason: "LIBRARY_SET_INCOMPATIBLE" });
});

it("one with long paths keeps them", async () => {
  const path = `node_modules/acme/${LONG}`;
  expect(path.length).toBeGreaterThan(100);
  const { name, bytes } = await whole({}, { [path]: "x" });
  expect((await take(bytes, "long")).hash).toBe(name);
  const again = await allOf(store.export("long", { signal }));
  await store.remove("long", { signal });
  expect((await take(again, "long")).manifest.files).toContainEqual(fileOf(path, "x"));
});

const acme = () => manifest.packages[0] as LibraryPackage;

it.each([
  ["another version than its lockfile", async () => whole({ packages: [{ ...acme(), version: "2.0.0" }] })],
  ["another hash than its lockfile", async () => whole({ packages: [{ ...acme(), integrity: "sha512-AAAA" }] })],
  ["another licence than its package", async () => whole({ packages: [{ ...acme(), license: "ISC" }] })],
  ["no package", async () => whole({ packages: [] })],
  ["a package more", async () => whole({ packages: [acme(), { ...acme(), path: "node_modules/more", name: "more" }] })],
  ["that another one was asked for", async () => whole({ asked: [{ name: "acme", version: "2.0.0" }] })],
  ["a kind that no package offers", async () => whole({ connectors: [CONNECTOR] })],
  ["value parsers that no package offers", async () => whole({ parsers: [PARSERS] })],
  [
    "another version than its package",
    async () => whole({}, { "node_modules/acme/package.json": JSON.stringify({ name: "acme", version: "1.0.1" }) }),
  ],
  ["the file of no package", async () => whole({}, { "node_modules/more/index.js": "" })],
  ["no lockfile", async () => whole({}, { "package-lock.json": LEFT_OUT })],
  ["a lockfile that can't be read", async () => whole({}, { "package-lock.json": "{" })],
  [
    "nothing of the system that its lockfile is for",
    async () => whole({}, { "package-lock.json": await lockedTo("linux") }),
  ],
])("one that says %s is refused", async (_what, make) => {
  await expect(take((await make()).bytes, "lying")).rejects.toMatchObject(broken);
  await expect(store.byName("lying")).rejects.toMatchObject({ reason: "LIBRARY_SET_NOT_FOUND" });
});

it("one with settings that no kind of it has is refused as a new set is", async () => {
  const { bytes } = await whole({ settings: { postgres: { partitions: "2" } } });
  await expect(take(bytes, "tuned")).rejects.toMatchObject({ reason: "INVALID_LIBRARY_SET" });
});

it("one whose sender leaves is not taken", async () => {
  const left = new AbortController();
  const halting = async function* () {
    yield archive.subarray(0, 500);
    left.abort(new Error("left"));
    // No more comes, and no end.
    await new Promise(() => {});
  };
  const asked = store.import(halting(), { name: "left", replace: false, createdBy: "ann", signal: left.signal });
  await expect(asked).rejects.toThrow("left");
  expect(await readdir(join(dataDirectory, "library-sets", "staging"))).toEqual([]);
});
