import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResolvedSource } from "../../../src/definitions/model.ts";
import { checkSet } from "../../../src/library-sets/check/check-set.ts";
import { knownProblems } from "../../../src/library-sets/check/known-problems.ts";
import type { LibraryPackage, LibrarySet, LibrarySetManifest } from "../../../src/library-sets/model.ts";
import { PublishedSets } from "../../../src/library-sets/published-sets.ts";
import type { SourceKind } from "../../../src/sources/connector.ts";
import { sourceKinds } from "../../../src/sources/kinds.ts";
import { openSetBench, type SetBench } from "../../helpers/set-bench.ts";
import { librarySet } from "../../helpers/set-manifests.ts";

const here = {
  node: "24.21.0",
  platform: "linux-x64",
  interfaces: [1],
  own: { pg: "8.23.1", "pg-cursor": "2.22.1", "pg-copy-streams": "7.0.0", mysql2: "3.24.6" },
};

function packaged(name: string, version: string, more: Partial<LibraryPackage> = {}): LibraryPackage {
  return { name, version, path: `node_modules/${name}`, license: "MIT", direct: true, scripts: "none", ...more };
}

function problemsOf(manifest: Partial<LibrarySetManifest>) {
  return knownProblems(librarySet("warehouse", "0", manifest).manifest, here).map(
    ({ severity, subject, message }) => `${severity}: ${subject}: ${message}`,
  );
}

describe("what is known of a set before any of it runs:", () => {
  const companions = [packaged("pg-cursor", "2.15.3"), packaged("pg-copy-streams", "6.0.6")];
  const acme = { kind: "acme", package: "acme", version: "1.2.0", module: "node_modules/acme/x.js" };
  const descriptor = { kind: "acme", summary: "", extensions: [], options: {} };

  test.each<[string, Partial<LibrarySetManifest>, readonly string[]]>([
    ["nothing", { packages: [packaged("pg", "8.11.3", { engines: { node: ">= 8" } }), ...companions] }, []],
    [
      "another Node",
      { packages: [packaged("acme", "1.2.0", { engines: { node: "<20 || >=26" } })] },
      ["error: acme@1.2.0: it needs Node <20 || >=26; workers run on 24.21.0"],
    ],
    ["words in the place of a Node", { packages: [packaged("acme", "1.2.0", { engines: { node: "any" } })] }, []],
    [
      "a package that is missing beside another",
      { packages: [packaged("acme", "1.2.0", { peerDependencies: { knex: "^3.0.0" } })] },
      ["error: acme@1.2.0: it needs knex ^3.0.0 beside it, which the set does not hold"],
    ],
    [
      "one of another version, found as Node finds it",
      {
        packages: [
          packaged("acme", "1.2.0", { peerDependencies: { knex: "^3.0.0" }, path: "node_modules/b/node_modules/acme" }),
          packaged("knex", "3.1.0", { path: "node_modules/c/node_modules/knex" }),
          packaged("knex", "2.5.1", { path: "node_modules/b/node_modules/knex" }),
        ],
      },
      ["error: acme@1.2.0: it needs knex ^3.0.0 beside it; the set holds 2.5.1"],
    ],
    [
      "the interface, which workers have",
      { packages: [packaged("acme", "1.2.0", { peerDependencies: { "@drover/connector": "0.1.0" } })] },
      [],
    ],
    [
      "install scripts that have not run",
      { packages: [packaged("acme", "1.2.0", { scripts: "skipped" }), packaged("other", "1.0.0", { scripts: "ran" })] },
      [
        expect.stringMatching(
          /^warning: acme@1\.2\.0: it has install scripts, which have not run;.*--allow-scripts acme$/,
        ),
      ],
    ],
    [
      "no licence",
      {
        packages: [
          { name: "acme", version: "1.2.0", path: "node_modules/acme", direct: true, scripts: "none" },
          packaged("own", "1.0.0", { license: "UNLICENSED" }),
        ],
      },
      [
        "warning: acme@1.2.0: it does not say under which licence it may be used",
        "warning: own@1.0.0: it may not be used without its owner's leave",
      ],
    ],
    [
      "a client library without what is used with it",
      { packages: [packaged("pg", "8.11.3"), packaged("pg-copy-streams", "6.0.6"), packaged("mysql2", "3.6.0")] },
      [
        "warning: pg@8.11.3: the set holds no pg-cursor: the driver's own 2.22.1 is used with it, which was made for pg 8.23.1",
      ],
    ],
    [
      "a connector for another interface",
      { connectors: [{ ...acme, interface: 2, descriptor }] },
      ["error: acme@1.2.0: its connector acme was made for connector interface 2; this driver has 1"],
    ],
    [
      "another system",
      { platform: "darwin-arm64" },
      ["error: the set: it was made on darwin-arm64, and this is linux-x64"],
    ],
  ])("%s", (_, manifest, problems) => {
    expect(problemsOf(manifest)).toEqual(problems);
  });
});

describe("a set that is tried", () => {
  let bench: SetBench;
  let set: LibrarySet;
  beforeAll(async () => {
    bench = await openSetBench();
    const modules = {
      "steady.js": "exports.connector = { open() {} };",
      "breaks.js": "throw new Error('not today');",
      "no-connector.js": "exports.connector = {};",
    };
    set = await bench.makeSet("acme", {
      packages: { "acme@1.0.0": modules },
      connectors: { steady: "acme/steady.js", breaks: "acme/breaks.js", "no-connector": "acme/no-connector.js" },
    });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const parts = () => {
    const published = new PublishedSets(bench.dataDirectory);
    return {
      here,
      workers: bench.workers,
      sets: { byName: async () => set, verify: published.verify.bind(published) },
      test: () => expect.unreachable("no source was given"),
    };
  };

  test("tells of each kind whether it loads, and why not, whatever the others do", async () => {
    const { signal } = new AbortController();
    const { kinds, problems, node } = await checkSet("acme", parts(), { signal });
    const packages = [{ name: "acme", version: "1.0.0" }];
    expect(kinds).toEqual([
      { kind: "breaks", loads: false, packages: [] },
      { kind: "no-connector", loads: false, packages: [] },
      { kind: "steady", loads: true, packages },
    ]);
    expect(node).toBe("24.21.0");
    expect(problems.map(({ severity, subject, reason }) => [severity, subject, reason])).toEqual([
      ["error", "kind breaks", "CONNECTOR_FAILED"],
      ["error", "kind no-connector", "CONNECTOR_INVALID"],
      ["warning", "acme@1.0.0", undefined],
    ]);
    expect(bench.workers.status().busy).toBe(0);
  });

  test("says of a source that it has nothing for, that the driver's own reads it", async () => {
    const { signal } = new AbortController();
    const test = async () => ({ description: "1 file" });
    const csv = sourceKinds.find(({ kind }) => kind === "csv") as SourceKind;
    const source = { kind: csv, named: { uri: "f.csv", connection: "" } } as unknown as ResolvedSource;
    const checked = await checkSet("acme", { ...parts(), test }, { signal, resolve: async () => source });
    expect(checked.source).toEqual({ kind: "csv", test: { description: "1 file" } });
    expect(checked.problems).toContainEqual(
      expect.objectContaining({ severity: "warning", subject: "f.csv", message: expect.stringContaining("kind csv") }),
    );
  });

  test("stops when nobody wants to know any more", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(checkSet("acme", parts(), { signal: controller.signal })).rejects.toBe(reason);
  });
});

test("what a connector says of its source's password when it fails reaches nobody", async () => {
  await using bench = await openSetBench();
  const failing = `exports.connector = { async open({ server }) { throw new Error("no login with " + server.password); } };`;
  const set = await bench.makeSet("acme", {
    packages: { "acme@1.0.0": { "acme.js": failing } },
    connectors: { acme: "acme/acme.js" },
  });
  const server = { name: "warehouse", uri: "acme://db1", options: {}, password: "open sesame" };
  await expect(bench.test({ kind: "acme", uri: "", options: {}, server }, set)).rejects.toMatchObject({
    reason: "CONNECTOR_FAILED",
    message: "acme@1.0.0: no login with …",
  });
  expect(JSON.stringify(bench.events)).not.toContain("open sesame");
});
