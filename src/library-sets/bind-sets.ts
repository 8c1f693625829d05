import { INTERFACE_VERSION } from "@drover/connector";
import { suggest } from "../config/suggest.ts";
import { DriverError } from "../errors/driver-error.ts";
import { sourceKinds } from "../sources/kinds.ts";
import { kindsOf, type LibrarySet, type LibrarySetPointer, type LibrarySetStore, type SetConnector } from "./model.ts";
import { requireHash } from "./pointers.ts";

/** The settings that say which library sets run. */
export interface SetSettings {
  /** Sets' names by kind of source. */
  readonly kinds: Readonly<Record<string, string>>;
  /** Sets' names by patterns of names of sources and connections. */
  readonly sources: Readonly<Record<string, string>>;
}

/** A pattern of names of sources and connections, and what serves those. */
export interface SourceRule {
  readonly pattern: string;
  readonly set: LibrarySet;
}

/** The library sets that a driver works with, as they were when it started, whatever their names point to later. */
export interface BoundSets {
  /** Each once, by name. */
  readonly all: readonly LibrarySet[];
  readonly kinds: ReadonlyMap<string, LibrarySet>;
  readonly sources: readonly SourceRule[];
}

export const NO_SETS: BoundSets = { all: [], kinds: new Map(), sources: [] };

/**
 * Finds the sets that the settings name. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED, LIBRARY_SET_INCOMPATIBLE,
 * LIBRARY_SET_LACKS_KIND, CONNECTOR_INTERFACE_UNKNOWN, each with the setting.
 */
export async function bindSets(
  settings: SetSettings,
  pointers: ReadonlyMap<string, LibrarySetPointer>,
  store: Pick<LibrarySetStore, "byHash">,
): Promise<BoundSets> {
  const found = new Map<string, LibrarySet>();
  const find = async (name: string, setting: string): Promise<LibrarySet> => {
    const set = found.get(name) ?? (await open(name, setting, pointers, store));
    found.set(name, set);
    return set;
  };
  const kinds = new Map<string, LibrarySet>();
  for (const [kind, name] of Object.entries(settings.kinds)) {
    const setting = `librarySets.kinds.${kind}`;
    const set = await find(name, setting);
    if (!serves(set, kind)) throw lacksKind(set, kind, setting);
    kinds.set(kind, set);
  }
  const sources: SourceRule[] = [];
  for (const [pattern, name] of Object.entries(settings.sources))
    sources.push({ pattern, set: await find(name, `librarySets.sources.${JSON.stringify(pattern)}`) });
  const all = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { all, kinds, sources };
}

/** Whether sources of a kind can be read with a set. One with value parsers reads what the driver itself can read. */
export function serves({ manifest }: Pick<LibrarySet, "manifest">, kind: string): boolean {
  if (kindsOf(manifest).includes(kind)) return true;
  return manifest.parsers.length > 0 && sourceKinds.some((brought) => brought.kind === kind);
}

async function open(
  name: string,
  setting: string,
  pointers: ReadonlyMap<string, LibrarySetPointer>,
  store: Pick<LibrarySetStore, "byHash">,
): Promise<LibrarySet> {
  const pointer = pointers.get(name);
  if (pointer === undefined)
    throw new DriverError(
      "LIBRARY_SET_NOT_FOUND",
      `setting ${setting}: there is no library set ${JSON.stringify(name)}${suggest(name, [...pointers.keys()])}`,
      { metadata: { librarySet: name, setting } },
    );
  try {
    requireHash(pointer);
    const manifest = await store.byHash(pointer.hash);
    requirePlatform(manifest.platform);
    requireInterfaces(manifest.connectors);
    return { ...pointer, manifest };
  } catch (thrown) {
    const { reason, message, metadata } = DriverError.from(thrown);
    throw new DriverError(reason, `setting ${setting}: ${message}`, {
      metadata: { ...metadata, librarySet: name, setting },
      cause: thrown,
    });
  }
}

function requirePlatform(platform: string | undefined): void {
  const here = `${process.platform}-${process.arch}`;
  if (platform === undefined || platform === here) return;
  throw new DriverError("LIBRARY_SET_INCOMPATIBLE", `it was made on ${platform}, and this is ${here}`, {
    metadata: { platform, here },
  });
}

/** The driver may be another one than that which made the set. */
function requireInterfaces(connectors: readonly SetConnector[]): void {
  const strange = connectors.find((connector) => connector.interface !== INTERFACE_VERSION);
  if (strange === undefined) return;
  const { package: name, version, interface: number } = strange;
  const known = String(INTERFACE_VERSION);
  throw new DriverError(
    "CONNECTOR_INTERFACE_UNKNOWN",
    `${name}@${version} was made for connector interface ${number}; this driver has ${known}`,
    { metadata: { package: name, version, interface: String(number), known } },
  );
}

function lacksKind(set: LibrarySet, kind: string, setting: string): DriverError {
  const { name } = set;
  const offered = kindsOf(set.manifest);
  const what = offered.length === 0 ? "no kind of source" : `only ${offered.join(", ")}`;
  return new DriverError(
    "LIBRARY_SET_LACKS_KIND",
    `setting ${setting}: the library set ${JSON.stringify(name)} serves ${what}${suggest(kind, offered)}`,
    { metadata: { librarySet: name, kind, kinds: offered.join(", "), setting } },
  );
}
