import { readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Drover, type DroverError, ensureDriver } from "../../clients/node/src/index.ts";
import { draftOf, openSets } from "../helpers/library-sets.ts";
import { packPackage } from "../helpers/npm-packages.ts";
import { type TestProfile, testProfile } from "../helpers/profile.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const FIXTURES = join(import.meta.dirname, "..", "fixtures", "packages");

let profile: TestProfile;
let drover: Drover;
let otherSet: string;

beforeAll(async () => {
  profile = await testProfile();
  const { dataDirectory } = profile;
  await using sets = await openSets(dataDirectory);
  const folder = join(dataDirectory, "packages");
  await packPackage(folder, { name: "neighbour" });
  for (const name of ["curious", "unruly"]) await packFixture(folder, name);
  const { signal } = new AbortController();
  const make = (name: string, packages: readonly string[]) => sets.create(draftOf(name, packages, folder), { signal });
  otherSet = sets.folderOf((await make("other", ["neighbour@1.0.0"])).hash);
  await make("guests", ["curious-connector@2.1.0", "unruly-connector@1.0.0"]);
  const kinds = ["looks", "steady", "exits", "throws", "meddles"].map((kind) => `${kind} = "guests"`);
  await profile.configure(`librarySets.kinds = { ${kinds.join(", ")} }\n`);
  drover = await ensureDriver(profile.options);
});
afterAll(async () => {
  await drover?.close();
  await profile[Symbol.asyncDispose]();
});

async function packFixture(folder: string, fixture: string): Promise<void> {
  const files: Record<string, string> = {};
  for (const name of await readdir(join(FIXTURES, fixture)))
    files[name] = await readFile(join(FIXTURES, fixture, name), "utf8");
  const { name, version } = JSON.parse(files["package.json"] ?? "");
  await packPackage(folder, { name, version, files });
}

describe("a driver with packages that nobody should install", () => {
  test("keeps its token, its catalog, its environment and other sets to itself", async () => {
    const dataDirectory = await realpath(profile.dataDirectory);
    const secretFile = join(dataDirectory, "secret.txt");
    await writeFile(secretFile, "hunter2");
    await using outside = await temporaryFolder();
    const lentFile = join(outside.path, "lent.txt");
    await writeFile(lentFile, "what the source holds");
    const asked = new URLSearchParams({ dataDirectory, secretFile, otherSet });
    const { description } = await drover.sources.test({ uri: `file://${lentFile}?${asked}`, format: "looks" });
    const {
      environment,
      own,
      interface: version,
      debugDriver,
      channel,
      arguments: given,
      ...found
    } = JSON.parse(description);
    expect(found).toEqual({ lent: "what the source holds" });
    expect(await readFile(lentFile, "utf8")).toBe("what the source holds");
    const known = ["HOME", "LANG", "LC_ALL", "NODE_COMPILE_CACHE", "PATH", "TMPDIR"];
    expect(environment.filter((name: string) => !known.includes(name))).toEqual([]);
    expect({ own, version, debugDriver, channel, given }).toMatchObject({ own: "own", channel: "undefined" });
  });

  test("outlives them, and says which package failed", async () => {
    const { pid } = await drover.driver();
    const load = async (kind: string) => {
      const loading = await drover.load(kind, { uri: `${kind}:///`, format: kind });
      return loading.result().then(
        () => "loaded",
        ({ reason }: DroverError) => reason,
      );
    };
    const ends = await Promise.all(["exits", "steady", "throws", "meddles"].map(load));
    expect(ends).toEqual(["WORKER_CRASHED", "loaded", "CONNECTOR_FAILED", "WORKER_CRASHED"]);
    expect((await drover.driver()).pid).toBe(pid);
    expect(await drover.sql("SELECT count(*) AS rows FROM steady").rows()).toEqual([{ rows: 10n }]);
  });
});
