import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  compareDriver,
  fingerprintOf as fingerprintOfClient,
  readProfile,
} from "../../../clients/node/src/ensure/profile-fit.ts";
import { hashesOf, readPointers } from "../../../src/library-sets/pointers.ts";
import { fingerprintOf } from "../../../src/lifecycle/identity.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const C = "c".repeat(64);

/** Each digest is that of `printf … | sha256sum`. */
const VECTORS = [
  {
    what: "of no file",
    text: undefined,
    digest: "a9bef7ecd5ce3e892445818e15d27040c3000df01fdb0a999199e685ce228f21",
  },
  {
    what: "of a file that names no library set",
    text: "threads = 1\n",
    digest: "0c875f4339c882fc5d27bf0b3c8371db22e97302eb9ad0428129d6234a88d187",
  },
  {
    // 1.2.3\ndrover.v1\nTEXT\nold bbb…\nwarehouse aaa…
    what: "of a file that names two in quotes, and one that is not there",
    text: `librarySets.kinds = { mysql = 'old', postgres = "warehouse" }\n`,
    digest: "806f81dbf152834bb2b3095d57fb8efbfb315e9458b03a319ade99d2aeb33060",
  },
];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

async function point(name: string, content: unknown): Promise<void> {
  await writeFile(join(folder.path, "library-sets", "names", `${name}.json`), JSON.stringify(content));
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder.path, "library-sets", "names"), { recursive: true });
  await mkdir(join(folder.path, "profiles"));
  await point("warehouse", { name: "warehouse", hash: A, createTime: "2024-01-01T00:00:00Z", createdBy: "x" });
  await point("old", { hash: B });
  // Not in quotes, or no sets: they count for nobody.
  await point("threads", { hash: C });
  await point("kinds", { hash: C });
  await point("mysql", null);
  await writeFile(join(folder.path, "library-sets", "names", "postgres.json"), "{");
});

afterAll(() => folder[Symbol.asyncDispose]());

describe("the fingerprint", () => {
  test.each(VECTORS)("$what is the same for the driver and its clients", async ({ text, digest }) => {
    const file = join(folder.path, "profiles", "p.toml");
    await rm(file, { force: true });
    if (text !== undefined) await writeFile(file, text);
    const { profileBytes, librarySets } = await readProfile(folder.path, "p");
    expect(fingerprintOfClient("1.2.3", profileBytes, librarySets)).toBe(digest);

    const hashes = hashesOf(await readPointers(folder.path));
    expect(fingerprintOf("1.2.3", text === undefined ? undefined : Buffer.from(text), hashes)).toBe(digest);
  });

  test("of a data directory without library sets needs no folder of theirs", async () => {
    await using empty = await temporaryFolder();
    expect(await readPointers(empty.path)).toEqual(new Map());
    expect(await readProfile(empty.path, "p")).toEqual({ profileBytes: new Uint8Array(), librarySets: [] });
  });
});

describe("a driver is to be replaced", () => {
  const profileBytes = Buffer.from('[librarySets.kinds]\npostgres = "warehouse"\n');
  const sets = (hash: string) => [{ name: "warehouse", hash }];
  const version = "1.2.3";
  const running = {
    ...{ version, apiVersion: "drover.v1", librarySets: sets(A) },
    fingerprint: fingerprintOfClient(version, profileBytes, sets(A)),
  };
  const wanted = { profile: "p", version, profileBytes };

  test("not while its library set is the same", () => {
    expect(compareDriver(running, { ...wanted, librarySets: sets(A) })).toEqual({
      usable: true,
      replaces: false,
      why: "",
    });
  });

  test("when the name points to another library set, and is told so", () => {
    expect(compareDriver(running, { ...wanted, librarySets: sets(B) })).toEqual({
      usable: true,
      replaces: true,
      why: "the library set `warehouse` of the profile `p` changed since it started",
    });
  });

  test("when the file has changed, whatever became of its library set", () => {
    const changed = Buffer.concat([profileBytes, Buffer.from("threads = 1\n")]);
    expect(compareDriver(running, { ...wanted, profileBytes: changed, librarySets: sets(B) })).toMatchObject({
      replaces: true,
      why: "the profile `p` has changed since it started",
    });
  });

  test("by no older client", () => {
    const fit = compareDriver(running, { ...wanted, version: "1.2.2", librarySets: sets(B) });
    expect(fit).toMatchObject({ usable: true, replaces: false });
  });
});
