import { readDroverEntries } from "./drover-entry.ts";
import type { DescribeSet, SetConnector, SetParsers } from "./model.ts";

/** The versions of the connector interface that this driver's workers have. */
const INTERFACES: readonly number[] = [1];

/** What packages declare, without running any of their code. */
export const describeDeclared: DescribeSet = async (set) => {
  const entries = await readDroverEntries(set, INTERFACES);
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
};
