import { createRequire } from "node:module";
import { join } from "node:path";
import { CLIENT_LIBRARIES, type PackageVersion } from "../../../library-sets/model.ts";
import { bundledLibraries, preferLibraries } from "../../../sources/client-libraries.ts";
import type { Connector } from "../../../sources/connector.ts";
import { loadConnector } from "../../../sources/connectors.ts";
import { guardedConnector } from "../../../sources/packaged/guarded-connector.ts";
import { isBelow } from "../../../sources/path-roots.ts";
import type { WorkerSet } from "../protocol.ts";
import { confine } from "./confine.ts";
import { guardModules } from "./module-gate.ts";
import { describeOffered, loadOffered, type SetDescription } from "./offered.ts";
import { PackageNotes } from "./package-notes.ts";

/** The connectors that a worker has, and the packages whose code they made it run. */
export interface Libraries {
  /** Throws UNKNOWN_FORMAT, CONNECTOR_INVALID, LIBRARY_SET_DAMAGED, and whatever the package's code throws. */
  connector(kind: string): Promise<Connector>;
  packagesInUse(): readonly PackageVersion[];
  /** Modules with value parsers that packages offer, absolute. */
  readonly parserModules: readonly string[];
  /** Loads all that packages offer. Throws CONNECTOR_INVALID, LIBRARY_SET_DAMAGED. */
  describe(): Promise<SetDescription>;
}

/** Those of the driver itself. */
export const builtInLibraries: Libraries = {
  connector: loadConnector,
  packagesInUse: bundledLibraries,
  parserModules: [],
  describe: async () => ({ connectors: [], parsers: [] }),
};

/** From now on this process runs with a library set, until its end. */
export function enterLibrarySet(set: WorkerSet): Libraries {
  const { folder, packages, connectors, interfaceModule, others } = set;
  const notes = new PackageNotes(packages);
  const hashes = set.hashes && new Map(set.hashes);
  const folders = [folder, ...others];
  guardModules({ folder, hashes, interfaceModule, others, notes });
  confine({ mayOpen: (path) => folders.some((other) => isBelow(path, other)) });
  const require = createRequire(join(folder, "package.json"));
  const installed = new Set(packages.map(({ path }) => path));
  preferLibraries((name) => (installed.has(`node_modules/${name}`) ? require(name) : undefined));
  return {
    connector: async (kind) => {
      const offered = connectors.find((connector) => connector.kind === kind);
      if (offered !== undefined) return loadOffered(offered, folder);
      const name = CLIENT_LIBRARIES[kind]?.library;
      const chosen = packages.find(({ path }) => path === `node_modules/${name}`);
      if (name === undefined || chosen === undefined) return loadConnector(kind);
      return guardedConnector(() => loadConnector(kind), { kind, package: name, version: chosen.version });
    },
    packagesInUse: () => [...notes.used, ...bundledLibraries()],
    parserModules: set.parsers.map(({ module }) => join(folder, module)),
    describe: () => describeOffered(set),
  };
}
