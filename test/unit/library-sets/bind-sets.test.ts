import { describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { bindSets, type SetSettings } from "../../../src/library-sets/bind-sets.ts";
import { closestPatterns, matchesName } from "../../../src/library-sets/closest-patterns.ts";
import type { LibrarySet } from "../../../src/library-sets/model.ts";
import { NO_HASH } from "../../../src/library-sets/pointers.ts";
import { createServedKinds } from "../../../src/library-sets/served-kinds.ts";
import { sourceKinds } from "../../../src/sources/kinds.ts";
import { librarySet, serverConnector, setPackage } from "../../helpers/set-manifests.ts";

const table = { table: { type: "string", doc: "" } } as const;
const warehouse = librarySet("warehouse", "a", {
  packages: [setPackage("pg", "8.11.3")],
  settings: { postgres: { transfer: "rows" } },
});
const old = librarySet("old", "b", { packages: [setPackage("pg", "8.0.0"), setPackage("mysql2", "3.0.0")] });
const acme = librarySet("acme-2", "c", { connectors: [serverConnector("acme", table)] });
const acmeOld = librarySet("acme-1", "d", { connectors: [serverConnector("acme", {}), serverConnector("rare", {})] });
const parsing = librarySet("house", "e", { parsers: [{ package: "p", version: "1.0.0", module: "x.js" }] });
const foreign = librarySet("arm", "f", { packages: [setPackage("pg", "8.0.0")], platform: "plan9-vax" });
const future = librarySet("future", "7", {
  connectors: [{ ...serverConnector("acme", {}), interface: 7 }],
});
const sets = [future, warehouse, old, acme, acmeOld, parsing, foreign];

function bind(settings: Partial<SetSettings>) {
  const pointers = new Map(sets.map(({ manifest: _, ...pointer }) => [pointer.name, pointer]));
  const byHash = async (hash: string) => {
    const found = sets.find((set) => set.hash === hash);
    if (found === undefined) throw new DriverError("LIBRARY_SET_DAMAGED", "it is not there");
    return found.manifest;
  };
  pointers.set("lost", { name: "lost", hash: "0".repeat(64), createTime: new Date(0), createdBy: "" });
  pointers.set("torn", { name: "torn", hash: NO_HASH, createTime: new Date(0), createdBy: "" });
  return bindSets({ kinds: {}, sources: {}, ...settings }, pointers, { byHash });
}

const served = async (settings: Partial<SetSettings>) => createServedKinds(sourceKinds, await bind(settings));
const nameOf = ({ set }: { readonly set: LibrarySet | undefined }) => set?.name;

describe("a configuration", () => {
  test.each([
    [
      { kinds: { postgres: "warehous" } },
      "LIBRARY_SET_NOT_FOUND",
      'librarySets.kinds.postgres: there is no library set "warehous"; did you mean "warehouse"?',
    ],
    [
      { sources: { "a.*": "none-such" } },
      "LIBRARY_SET_NOT_FOUND",
      'librarySets.sources."a.*": there is no library set "none-such"',
    ],
    [{ kinds: { postgres: "lost" } }, "LIBRARY_SET_DAMAGED", "librarySets.kinds.postgres: it is not there"],
    [
      { kinds: { postgres: "torn" } },
      "LIBRARY_SET_DAMAGED",
      'librarySets.kinds.postgres: the library set "torn" is damaged: the file that says what it points to',
    ],
    [
      { kinds: { postgres: "acme-2" } },
      "LIBRARY_SET_LACKS_KIND",
      'librarySets.kinds.postgres: the library set "acme-2" serves only acme',
    ],
    [{ kinds: { csv: "warehouse" } }, "LIBRARY_SET_LACKS_KIND", "serves only postgres"],
    [{ kinds: { acm: "house" } }, "LIBRARY_SET_LACKS_KIND", "serves no kind of source"],
    [
      { kinds: { postgres: "arm" } },
      "LIBRARY_SET_INCOMPATIBLE",
      "librarySets.kinds.postgres: it was made on plan9-vax",
    ],
    [
      { kinds: { acme: "future" } },
      "CONNECTOR_INTERFACE_UNKNOWN",
      "librarySets.kinds.acme: acme-connector@1.0.0 was made for connector interface 7; this driver has 1",
    ],
  ] as const)("%j is refused with its setting", async (settings, reason, message) => {
    const error = await bind(settings).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason });
    expect(error).toHaveProperty("message", expect.stringContaining(message));
  });

  test("binds each set once, by name", async () => {
    const { all } = await bind({ kinds: { postgres: "warehouse", acme: "acme-2" }, sources: { "s-*": "warehouse" } });
    expect(all.map(({ name }) => name)).toEqual(["acme-2", "warehouse"]);
  });
});

describe("the kinds of a driver", () => {
  test("are its own without sets", () => {
    const kinds = createServedKinds(sourceKinds);
    expect(kinds.all).toEqual(sourceKinds);
    expect(kinds.serve("postgres", { source: "sales" })).toMatchObject({ kind: { kind: "postgres" }, set: undefined });
  });

  test("are its own and those of its sets, each with what reads it", async () => {
    const kinds = await served({ kinds: { postgres: "warehouse", acme: "acme-2" } });
    expect(kinds.all.map(({ kind }) => kind)).toEqual([...sourceKinds.map(({ kind }) => kind), "acme"]);
    expect(kinds.serve("postgres", {})).toMatchObject({ set: warehouse, defaults: { transfer: "rows" } });
    expect(kinds.serve("acme", {}).set).toEqual(acme);
    expect(kinds.serve("csv", {}).set).toBeUndefined();
  });

  test("are read by the set of the source's name, then of its connection's, then of the kind", async () => {
    const kinds = await served({
      kinds: { postgres: "warehouse" },
      sources: { "*": "acme-2", "sales-*": "old", "sales-eu": "warehouse", "lake-*": "old" },
    });
    expect(nameOf(kinds.serve("postgres", { source: "sales-us" }))).toBe("old");
    expect(nameOf(kinds.serve("postgres", { source: "Sales-EU" }))).toBe("warehouse");
    expect(nameOf(kinds.serve("postgres", { source: "other", connection: "lake-1" }))).toBe("old");
    // The set of the pattern does not serve the kind.
    expect(nameOf(kinds.serve("postgres", { source: "other" }))).toBe("warehouse");
    expect(nameOf(kinds.serve("csv", { source: "sales-us" }))).toBeUndefined();
  });

  test("that only a set for some names offers are refused for others, with those names", async () => {
    const kinds = await served({ kinds: { acme: "acme-2" }, sources: { "old-*": "acme-1" } });
    expect(kinds.all.map(({ kind }) => kind)).toContain("rare");
    expect(kinds.serve("rare", { source: "old-1" }).set).toEqual(acmeOld);
    expect(() => kinds.serve("rare", { source: "new-1" })).toThrow(
      "rare is read only for sources and connections that are called old-*",
    );
  });

  test("have the options of the set that reads them", async () => {
    const kinds = await served({ kinds: { acme: "acme-2" }, sources: { "old-*": "acme-1" } });
    const chosen = kinds.all.find(({ kind }) => kind === "acme");
    expect(Object.keys(chosen?.options ?? {})).toEqual(["table", "parsers", "types"]);
    kinds.serve("acme", {}).kind.check({ table: "t" });
    expect(() => kinds.serve("acme", { source: "old-1" }).kind.check({ table: "t" })).toThrow(
      'acme has no option "table"',
    );
  });

  test("with value parsers of a set are the driver's own", async () => {
    const kinds = await served({ kinds: { csv: "house" } });
    expect(kinds.serve("csv", {})).toMatchObject({ kind: { kind: "csv" }, set: parsing });
  });

  test("of packages have connections that are checked by their description alone", async () => {
    const { kind } = (await served({ kinds: { acme: "acme-2" } })).serve("acme", {});
    kind.checkConnection?.({ uri: "acme://host", options: { region: "eu" } });
    expect(() => kind.checkConnection?.({ uri: "acme://host", options: { region: "mars" } })).toThrow("one of eu, us");
    expect(() => kind.checkConnection?.({ uri: "http://host", options: {} })).toThrow("is no URL of acme");
  });
});

describe("a pattern", () => {
  test.each([
    ["sales", "sales", true],
    ["sales", "SALES", true],
    ["sales", "sales-1", false],
    ["*", "", true],
    ["sales-*", "sales-", true],
    ["a*a", "a", false],
    ["a*b*c", "axbxc", true],
    ["a*b*b", "ab", false],
    ["*.eu", "sales.eu", true],
    ["s.les", "sales", false],
    ["a*aab", "aaaab", true],
  ])("%s and the name %s: %s", (pattern, name, expected) => {
    expect(matchesName(pattern, name)).toBe(expected);
  });

  test("counts before a shorter one, and a name before all", () => {
    const rules = ["*", "sales-*", "sales-eu-1", "s*"].map((pattern) => ({ pattern }));
    expect(closestPatterns(rules, "sales-eu-1").map(({ pattern }) => pattern)).toEqual([
      "sales-eu-1",
      "sales-*",
      "s*",
      "*",
    ]);
  });
});
