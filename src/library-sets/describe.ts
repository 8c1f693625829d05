import { randomUUID } from "node:crypto";
import { INTERFACE_VERSION } from "@drover/connector";
import type { SetDescription } from "../loading/worker/set/offered.ts";
import type { WorkerPool } from "../loading/workers/model.ts";
import { checkedDescriptor } from "./check-descriptor.ts";
import { type DroverEntry, readDroverEntries } from "./drover-entry.ts";
import {
  type DescribeSet,
  type LibraryPackage,
  type LibrarySetManifest,
  MANIFEST_FORMAT,
  type SetConnector,
  type SetParsers,
} from "./model.ts";

/** The versions of the connector interface that this driver's workers have. */
const INTERFACES: readonly number[] = [INTERFACE_VERSION];

/** What packages declare, without running any of their code. */
export const describeDeclared: DescribeSet = async (set) => declared(await readDroverEntries(set, INTERFACES));

/** What packages offer: their modules are loaded once, in a worker that is confined as those that read sources are. */
export function createDescribeSet(workers: Pick<WorkerPool, "lease">): DescribeSet {
  return async ({ folder, packages }, { signal }) => {
    const offered = declared(await readDroverEntries({ folder, packages }, INTERFACES));
    if (offered.connectors.length === 0 && offered.parsers.length === 0) return offered;
    const set = inTheMaking(folder, packages, offered);
    await using lease = await workers.lease("interactive", { signal, set });
    const told = await lease.call("describeConnectors", {}, { signal });
    return { ...offered, connectors: offered.connectors.map((connector) => described(connector, told)) };
  };
}

function declared(entries: readonly DroverEntry[]): Pick<LibrarySetManifest, "connectors" | "parsers"> {
  const connectors = entries.flatMap((entry): SetConnector[] =>
    Object.entries(entry.connectors).map(([kind, module]) => ({
      ...{ kind, package: entry.package, version: entry.version, interface: entry.interface, module },
      descriptor: { kind, summary: "", extensions: [], options: {} },
    })),
  );
  const parsers = entries.flatMap(({ parsers: module, ...entry }): SetParsers[] =>
    module === undefined ? [] : [{ package: entry.package, version: entry.version, module }],
  );
  return { connectors, parsers };
}

function inTheMaking(
  madeIn: string,
  packages: readonly LibraryPackage[],
  offered: Pick<LibrarySetManifest, "connectors" | "parsers">,
) {
  const manifest = { format: MANIFEST_FORMAT, asked: [], packages, settings: {}, ...offered, files: [] } as const;
  // It has no hash yet; workers are told apart by theirs.
  return { name: "in the making", hash: randomUUID(), createTime: new Date(), createdBy: "", manifest, madeIn };
}

function described(connector: SetConnector, { connectors }: SetDescription): SetConnector {
  const told = connectors.find(({ kind }) => kind === connector.kind);
  return { ...connector, descriptor: checkedDescriptor(told?.descriptor, connector) };
}
