import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { installedPackages } from "../../src/library-sets/installed-packages.ts";
import { readLockfile } from "../../src/library-sets/lockfile.ts";
import type {
  LibrarySet,
  LibrarySetManifest,
  LibrarySetPointer,
  LibrarySetStore,
} from "../../src/library-sets/model.ts";
import { PublishedSets } from "../../src/library-sets/published-sets.ts";
import { SetNames } from "../../src/library-sets/set-names.ts";
import { sealTree } from "../../src/library-sets/tree.ts";
import { openSets } from "./library-sets.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export const FIRST = "11111111-1111-4111-8111-111111111111";
export const OTHER = "22222222-2222-4222-8222-222222222222";

/** A data directory with the set `warehouse` of two packages, as a driver has it. No npm has run for it. */
export interface SetScene extends AsyncDisposable {
  readonly root: string;
  readonly dataDirectory: string;
  readonly store: LibrarySetStore;
  readonly made: LibrarySet;
  /** Of that set, and of one with another package. */
  readonly archive: Buffer;
  readonly otherArchive: Buffer;
  /** Gives a name to a set, as any driver of the data directory does. */
  point(name: string, hash: string): Promise<void>;
  /** What is in the making, or on its way out. */
  staged(): Promise<readonly string[]>;
}

export async function openSetScene(): Promise<SetScene> {
  const stack = new AsyncDisposableStack();
  const root = stack.use(await temporaryFolder()).path;
  const dataDirectory = join(root, "data");
  const store = stack.use(await openSets(dataDirectory, FIRST));
  const made = await publish(dataDirectory, "warehouse", ["acme", "helper"]);
  await publish(dataDirectory, "other", ["helper"]);
  const signal = new AbortController().signal;
  const archive = await allOf(store.export("warehouse", { signal }));
  const otherArchive = await allOf(store.export("other", { signal }));
  await store.remove("other", { signal });
  return {
    ...{ root, dataDirectory, store, made, archive, otherArchive },
    point: async (name, hash) => void (await point(dataDirectory, name, hash)),
    staged: () => readdir(join(dataDirectory, "library-sets", "staging")),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Makes a set without npm. */
export function take(
  by: LibrarySetStore,
  archive: Buffer,
  options: { readonly name: string; readonly replace?: boolean },
): Promise<LibrarySet> {
  const { signal } = new AbortController();
  return by.import(Readable.from([archive]), { replace: false, createdBy: "ann", signal, ...options });
}

export async function allOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** As npm leaves packages that need nothing else. */
async function publish(dataDirectory: string, name: string, names: readonly string[]): Promise<LibrarySet> {
  const { signal } = new AbortController();
  const folder = join(dataDirectory, `staged-${name}`);
  const version = "1.0.0";
  const entries = names.map((each) => [
    `node_modules/${each}`,
    { version, integrity: `sha512-${Buffer.from(each).toString("base64")}` },
  ]);
  const root = { dependencies: Object.fromEntries(names.map((each) => [each, version])) };
  const lockfile = readLockfile(JSON.stringify({ packages: { "": root, ...Object.fromEntries(entries) } }));
  const files = names.flatMap((each) => [
    [`node_modules/${each}/package.json`, JSON.stringify({ name: each, version })],
    [`node_modules/${each}/index.js`, `module.exports = "${each}";\n`],
  ]);
  for (const [path = "", text = ""] of [...files, ["package-lock.json", lockfile.text]]) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const { asked } = lockfile;
  const packages = await installedPackages(folder, lockfile.packages, { asked, scripted: new Set() });
  const manifest: LibrarySetManifest = {
    ...{ format: 1, asked, packages, settings: {}, connectors: [], parsers: [] },
    files: await sealTree(folder, { signal }),
  };
  const hash = await new PublishedSets(dataDirectory).publish(folder, manifest, { signal });
  return { ...(await point(dataDirectory, name, hash)), manifest };
}

function point(dataDirectory: string, name: string, hash: string): Promise<LibrarySetPointer> {
  const pointer = { name, hash, createTime: new Date(), createdBy: "ann" };
  return new SetNames(dataDirectory, FIRST).set(pointer, { replace: true });
}
