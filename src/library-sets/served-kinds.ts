import { DriverError } from "../errors/driver-error.ts";
import type { SourceKind } from "../sources/connector.ts";
import { type BoundSets, NO_SETS, serves } from "./bind-sets.ts";
import { closestPatterns } from "./closest-patterns.ts";
import { describedKind } from "./described-kind.ts";
import type { LibrarySet } from "./model.ts";

/** What a source is called, and the connection that it uses, where they are stored. */
export interface SourceNames {
  readonly source?: string | undefined;
  readonly connection?: string | undefined;
}

/** A kind of source, and what reads it. */
export interface ServedKind {
  readonly kind: SourceKind;
  /** Undefined: the built-in one. */
  readonly set: LibrarySet | undefined;
  /** Options that count where neither source nor connection says them. */
  readonly defaults: Readonly<Record<string, string>>;
}

/** The kinds of source that a driver reads: those that it brings along, and those of its library sets. */
export interface ServedKinds {
  /** A source's kind is chosen among them; those that the driver brings along come first. */
  readonly all: readonly SourceKind[];
  /** What reads a kind for sources of these names. Throws UNKNOWN_FORMAT where nothing does. */
  serve(kind: string, names: SourceNames): ServedKind;
}

export function createServedKinds(builtIn: readonly SourceKind[], bound: BoundSets = NO_SETS): ServedKinds {
  const own = new Map(builtIn.map((kind) => [kind.kind, kind]));
  const offers = new Map(bound.all.map((set) => [set, kindsIn(set, own)]));
  const all = new Map(own);
  // Where several offer it, the one that serves it whatever the source's name describes it.
  for (const offered of offers.values()) for (const [name, kind] of offered) if (!all.has(name)) all.set(name, kind);
  for (const [name, set] of bound.kinds) all.set(name, offers.get(set)?.get(name) ?? (all.get(name) as SourceKind));
  const candidates = (kind: string, { source, connection }: SourceNames): readonly LibrarySet[] => {
    const byName = [source, connection].flatMap((name) => (name ? closestPatterns(bound.sources, name) : []));
    const byKind = bound.kinds.get(kind);
    return [...byName.map(({ set }) => set), ...(byKind ? [byKind] : [])];
  };
  return {
    all: [...all.values()],
    serve(kind, names) {
      for (const set of candidates(kind, names)) {
        const offered = offers.get(set)?.get(kind);
        if (offered !== undefined) return { kind: offered, set, defaults: set.manifest.settings[kind] ?? {} };
      }
      const brought = own.get(kind);
      if (brought !== undefined) return { kind: brought, set: undefined, defaults: {} };
      throw notServed(kind, bound);
    },
  };
}

/** What can be read with a set: the kinds of its connectors, and those of the driver with client libraries of the set. */
function kindsIn(set: LibrarySet, own: ReadonlyMap<string, SourceKind>): ReadonlyMap<string, SourceKind> {
  const described = set.manifest.connectors.map(
    ({ descriptor }) => [descriptor.kind, describedKind(descriptor)] as const,
  );
  const brought = [...own].filter(([kind]) => serves(set, kind));
  return new Map([...brought, ...described]);
}

function notServed(kind: string, { sources }: BoundSets): DriverError {
  const patterns = sources.filter(({ set }) => serves(set, kind)).map(({ pattern }) => pattern);
  return new DriverError(
    "UNKNOWN_FORMAT",
    `${kind} is read only for sources and connections that are called ${patterns.join(", ")}`,
    { metadata: { format: kind, patterns: patterns.join(", ") } },
  );
}
