import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { draftOf, openSets } from "../../helpers/library-sets.ts";
import { integrityOf, lockfileFor } from "../../helpers/npm-packages.ts";

// Runs with files, or on a disk, that can't take more than some kilobytes, and reports what happened as one JSON object.
const [dataDirectory = "", packages = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const folder = join(dataDirectory, "library-sets");

await using sets = await openSets(dataDirectory);
const create = async (name: string) => {
  // With it npm has to start only once.
  const lockfile = lockfileFor(name, "1.0.0", await integrityOf(join(packages, `${name}-1.0.0.tgz`)));
  return sets.create(draftOf(name, [], packages, { lockfile }), { signal }).then(
    () => "made",
    (error: unknown) => (error instanceof DriverError ? error.reason : String(error)),
  );
};
const large = await create("large");
const seen = { names: await readdir(join(folder, "names")), staging: await readdir(join(folder, "staging")) };
const small = await create("small");
const hashes = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name)).length;
const listed = (await sets.list()).map(({ name }) => name);
await sets.verify((await sets.byName("small")).hash, { signal });
console.log(JSON.stringify({ large, ...seen, small, hashes, listed }));
