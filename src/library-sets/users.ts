import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LibrarySetUses } from "../catalog/library-set-uses.ts";
import { readConfigFile } from "../config/config-file.ts";
import { standsQuoted } from "../config/quoted-name.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { FindUsers } from "./model.ts";

export interface UserParts {
  readonly dataDirectory: string;
  readonly uses: Pick<LibrarySetUses, "list">;
}

const TABLES = new Set(["librarySets.kinds", "librarySets.sources"]);

/** Who works with a set: the drivers that live, and the profiles that name it, whose next driver would not start without it. */
export function createFindUsers({ dataDirectory, uses }: UserParts): FindUsers {
  return async ({ name, hash }) => {
    const drivers = (await uses.list())
      .filter((use) => use.name === name)
      .map((use) => {
        const which = use.hash === hash ? "" : ", with what the name pointed to before";
        return `driver ${use.pid} of profile ${JSON.stringify(use.profile)} on ${use.host}${which}`;
      });
    return [...drivers, ...(await profilesNaming(join(dataDirectory, "profiles"), name))];
  };
}

async function profilesNaming(folder: string, set: string): Promise<readonly string[]> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
  const found = files.filter((file) => file.endsWith(".toml")).sort();
  const users = await Promise.all(found.map((file) => namings(folder, file, set)));
  return users.flat();
}

async function namings(folder: string, file: string, set: string): Promise<readonly string[]> {
  const path = join(folder, file);
  try {
    return (readConfigFile(path, TABLES)?.entries ?? [])
      .filter(({ key, value }) => TABLES.has(key) && isNamedIn(value, set))
      .map(({ key, place }) => `${key} in profiles${place.slice(folder.length)}`);
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    // Somebody is about to mend it, and may want the set.
    const bytes = await readFile(path).catch(() => new Uint8Array());
    return standsQuoted(bytes, set) ? [`profiles/${file}, which can't be read as it is`] : [];
  }
}

function isNamedIn(table: unknown, set: string): boolean {
  return typeof table === "object" && table !== null && Object.values(table).includes(set);
}
