import { mkdir } from "node:fs/promises";
import { claimInstance } from "../../src/catalog/instance.ts";
import { describeDeclared } from "../../src/library-sets/describe.ts";
import type { LibrarySetDraft, LibrarySetStore, PackageVersion } from "../../src/library-sets/model.ts";
import { type LibrarySetStoreOptions, openLibrarySets } from "../../src/library-sets/store.ts";
import { createPool } from "../../src/scheduling/pool.ts";
import { sourceKinds } from "../../src/sources/kinds.ts";

/** The library sets of a data directory, as one driver process has them. */
export async function openSets(
  dataDirectory: string,
  id = "11111111-1111-4111-8111-111111111111",
  options: Partial<LibrarySetStoreOptions> = {},
): Promise<LibrarySetStore & AsyncDisposable> {
  await mkdir(dataDirectory, { recursive: true });
  const instance = await claimInstance({ dataDirectory, id });
  const store = await openLibrarySets({
    ...{ dataDirectory, instanceId: id, describe: describeDeclared, kinds: sourceKinds, registry: "" },
    isAlive: (other) => instance.isAlive(other),
    users: async () => [],
    environment: process.env,
    minFreeBytes: 0,
    pool: createPool({ name: "installs", size: 2, maxQueued: 16 }),
    ...options,
  });
  return Object.assign(store, { [Symbol.asyncDispose]: () => instance[Symbol.asyncDispose]() });
}

/** What an administrator asks for, of a folder of packages: `["one@1.0.0"]`. */
export function draftOf(
  name: string,
  packages: readonly string[],
  folder: string,
  more: Partial<LibrarySetDraft> = {},
): LibrarySetDraft {
  return {
    ...{ name, packages: packages.map(versionOf), settings: {}, origin: { type: "folder", path: folder } },
    ...{ lockfile: undefined, allowScripts: [], replace: false, createdBy: "ann" },
    ...more,
  };
}

function versionOf(text: string): PackageVersion {
  const at = text.lastIndexOf("@");
  return { name: text.slice(0, at), version: text.slice(at + 1) };
}
