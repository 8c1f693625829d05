import { INTERFACE_VERSION } from "@drover/connector";
import type { Definitions } from "../definitions/definitions.ts";
import { checkSet } from "../library-sets/check/check-set.ts";
import type { SetCheck } from "../library-sets/check/model.ts";
import { kindsOf, type LibrarySet, type LibrarySetStore } from "../library-sets/model.ts";
import { createServedKinds } from "../library-sets/served-kinds.ts";
import type { SourceProbe } from "../loading/source-probe.ts";
import type { WorkerPool } from "../loading/workers/model.ts";
import type { CheckOptions } from "../rpc/handlers/library.ts";
import { ownLibraries } from "../sources/client-libraries.ts";
import { sourceKinds } from "../sources/kinds.ts";

export interface CheckParts {
  readonly sets: Pick<LibrarySetStore, "byName" | "verify">;
  readonly workers: Pick<WorkerPool, "lease">;
  readonly definitions: Pick<Definitions, "servedBy">;
  readonly probe: Pick<SourceProbe, "test">;
}

/** Tries a set with the driver's workers, and a source as if the configuration named the set for all that it serves. */
export function checkSetWith({ sets, workers, definitions, probe }: CheckParts) {
  const here = {
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    interfaces: [INTERFACE_VERSION],
    own: ownLibraries(),
  };
  return (name: string, { signal, caller, source }: CheckOptions): Promise<SetCheck> => {
    const test: Parameters<typeof checkSet>[1]["test"] = (resolved) => probe.test(resolved, { signal, caller });
    return checkSet(
      name,
      { sets, workers, test, here },
      {
        signal,
        ...(source && {
          resolve: (set: LibrarySet) => definitions.servedBy(allOf(set)).resolve(source, { disabled: true }),
        }),
      },
    );
  };
}

function allOf(set: LibrarySet) {
  const served = [
    ...kindsOf(set.manifest),
    ...(set.manifest.parsers.length > 0 ? sourceKinds.map(({ kind }) => kind) : []),
  ];
  return createServedKinds(sourceKinds, {
    all: [set],
    kinds: new Map(served.map((kind) => [kind, set])),
    sources: [],
  });
}
