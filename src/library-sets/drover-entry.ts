import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import type { LibraryPackage } from "./model.ts";
import { isSafePath } from "./tar/safe-path.ts";

/** What a package's `drover` entry declares; nothing of its code was run. */
export interface DroverEntry {
  readonly package: string;
  readonly version: string;
  readonly interface: number;
  /** The modules by kind, as paths in the set. */
  readonly connectors: Readonly<Record<string, string>>;
  readonly parsers: string | undefined;
}

type Json = { readonly [key: string]: unknown };

const KIND = /^[a-z][a-z0-9_-]{0,62}$/;

/**
 * The entries of the packages that the administrator named: what others bring along with them offers nothing. Throws CONNECTOR_INVALID,
 * CONNECTOR_INTERFACE_UNKNOWN, and INVALID_LIBRARY_SET where two offer the same kind.
 */
export async function readDroverEntries(
  { folder, packages }: { readonly folder: string; readonly packages: readonly LibraryPackage[] },
  interfaces: readonly number[],
): Promise<readonly DroverEntry[]> {
  const direct = packages.filter(({ direct, path, name }) => direct && path === `node_modules/${name}`);
  const entries = (await Promise.all(direct.map((each) => entryOf(folder, each, interfaces)))).filter(
    (entry) => entry !== undefined,
  );
  const offered = new Map<string, string>();
  for (const entry of entries) {
    for (const kind of Object.keys(entry.connectors)) {
      const other = offered.get(kind);
      if (other !== undefined)
        throw new DriverError("INVALID_LIBRARY_SET", `${other} and ${entry.package} both offer the kind "${kind}"`, {
          metadata: { kind, packages: `${other}, ${entry.package}` },
        });
      offered.set(kind, entry.package);
    }
  }
  return entries;
}

async function entryOf(
  folder: string,
  { name, version, path }: LibraryPackage,
  interfaces: readonly number[],
): Promise<DroverEntry | undefined> {
  const { drover } = JSON.parse(await readFile(join(folder, path, "package.json"), "utf8")) as Json;
  if (drover === undefined) return undefined;
  const wrong = (why: string) =>
    new DriverError("CONNECTOR_INVALID", `${name}@${version}: ${why}`, { metadata: { package: name, version } });
  if (!isObject(drover)) throw wrong('"drover" in its package.json is no object');
  const { interface: number, connectors = {}, parsers } = drover;
  if (typeof number !== "number" || !Number.isInteger(number)) throw wrong('"drover.interface" is no whole number');
  if (!interfaces.includes(number))
    throw new DriverError(
      "CONNECTOR_INTERFACE_UNKNOWN",
      `${name}@${version} was made for connector interface ${number}; this driver has ${interfaces.join(", ")}`,
      { metadata: { package: name, version, interface: String(number), known: interfaces.join(", ") } },
    );
  if (!isObject(connectors)) throw wrong('"drover.connectors" is no object');
  const module = async (value: unknown, field: string) => {
    const inside = typeof value === "string" ? value.replace(/^\.\//, "") : "";
    if (!isSafePath(inside)) throw wrong(`"drover.${field}" names no file of the package`);
    const found = await stat(join(folder, path, inside)).catch(() => undefined);
    if (!found?.isFile()) throw wrong(`"drover.${field}": ${inside} is not there`);
    return `${path}/${inside}`;
  };
  const modules = Object.entries(connectors).map(async ([kind, value]) => {
    if (!KIND.test(kind)) throw wrong(`${JSON.stringify(kind)} is no name of a kind`);
    return [kind, await module(value, `connectors.${kind}`)] as const;
  });
  return {
    ...{ package: name, version, interface: number },
    connectors: Object.fromEntries(await Promise.all(modules)),
    parsers: parsers === undefined ? undefined : await module(parsers, "parsers"),
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
