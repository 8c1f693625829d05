import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type CheckLibrarySetResponseSchema,
  type CreateLibrarySetRequest,
  InstallPhase,
  type InstallProgress,
  InstallProgressSchema,
  InstallScripts,
  type KindSettings,
  LibraryProblem_Severity,
  type LibrarySet,
  LibrarySetSchema,
} from "../../gen/drover/v1/library_service_pb.js";
import type { Problem, SetCheck } from "../../library-sets/check/model.ts";
import {
  type DamagedSet,
  kindsOf,
  type LibrarySetDraft,
  type InstallProgress as ModelProgress,
  type LibrarySet as ModelSet,
} from "../../library-sets/model.ts";
import { toStatus } from "../status.ts";
import { invalidField } from "./invalid-field.ts";

const scripts = {
  none: InstallScripts.NONE,
  skipped: InstallScripts.SKIPPED,
  ran: InstallScripts.RAN,
} as const;

const phases = {
  resolving: InstallPhase.RESOLVING,
  fetching: InstallPhase.FETCHING,
  checking: InstallPhase.CHECKING,
  scripts: InstallPhase.SCRIPTS,
  publishing: InstallPhase.PUBLISHING,
} as const;

/** A set; with `packages` also what it says of each of them. */
export function fromLibrarySet(set: ModelSet, { packages }: { readonly packages: boolean }): LibrarySet {
  const { name, hash, createdBy, manifest } = set;
  const { asked, files, platform = "" } = manifest;
  return create(LibrarySetSchema, {
    ...{ name, hash, createdBy, platform, kinds: kindsOf(manifest) },
    createTime: timestampFromDate(set.createTime),
    asked: asked.map((each) => ({ ...each })),
    packages: packages ? manifest.packages.map(packageFrom) : [],
    packageCount: manifest.packages.length,
    settings: Object.entries(manifest.settings).map(([kind, options]) => ({ kind, options: { ...options } })),
    connectors: manifest.connectors.map(({ kind, descriptor, ...connector }) => ({
      ...{ kind, packageName: connector.package, packageVersion: connector.version },
      ...{ interfaceVersion: connector.interface, summary: descriptor.summary },
    })),
    parsers: manifest.parsers.map((each) => ({ name: each.package, version: each.version })),
    files: files.length,
    bytes: BigInt(files.reduce((sum, { bytes }) => sum + bytes, 0)),
  });
}

/** A set as it is listed, whole or damaged. */
export function fromListedSet(set: ModelSet | DamagedSet, options: { readonly packages: boolean }): LibrarySet {
  if (!("problem" in set)) return fromLibrarySet(set, options);
  const { name, hash, createdBy, createTime, problem } = set;
  return create(LibrarySetSchema, {
    ...{ name, hash, createdBy, problem: toStatus(problem) },
    ...(hash !== "" && { createTime: timestampFromDate(createTime) }),
  });
}

function packageFrom(each: ModelSet["manifest"]["packages"][number]) {
  const { name, version, path, integrity = "", license = "", direct } = each;
  return {
    ...{ name, version, path, integrity, license, direct, scripts: scripts[each.scripts] },
    engines: { ...each.engines },
    peerDependencies: { ...each.peerDependencies },
  };
}

export function fromInstallProgress({ phase, packages, totalPackages }: ModelProgress): InstallProgress {
  return create(InstallProgressSchema, { phase: phases[phase], packages, totalPackages });
}

export function toLibrarySetDraft(request: CreateLibrarySetRequest, createdBy: string): LibrarySetDraft {
  const { name, packages, settings, origin, lockfile, allowScripts, replace } = request;
  return {
    ...{ name, allowScripts, replace, createdBy, settings: toSettings(settings) },
    packages: packages.map((each) => ({ name: each.name, version: each.version })),
    origin:
      origin.case === "folder"
        ? { type: "folder", path: origin.value }
        : { type: "registry", url: origin.case === "registry" ? origin.value : undefined },
    lockfile: lockfile === "" ? undefined : lockfile,
  };
}

function toSettings(settings: readonly KindSettings[]): LibrarySetDraft["settings"] {
  const found = new Map<string, Readonly<Record<string, string>>>();
  for (const [index, { kind, options }] of settings.entries()) {
    if (found.has(kind)) throw invalidField(`settings[${index}].kind`, `"${kind}" is there twice`);
    found.set(kind, { ...options });
  }
  return Object.fromEntries(found);
}

const severities = {
  error: LibraryProblem_Severity.ERROR,
  warning: LibraryProblem_Severity.WARNING,
} as const satisfies Record<Problem["severity"], LibraryProblem_Severity>;

export function fromSetCheck(checked: SetCheck): MessageInitShape<typeof CheckLibrarySetResponseSchema> {
  const { set, node, kinds, parsers, source, problems } = checked;
  return {
    librarySet: fromLibrarySet(set, { packages: true }),
    nodeVersion: node,
    kinds: kinds.map(({ packages, ...kind }) => ({ ...kind, packages: packages.map((each) => ({ ...each })) })),
    parsers: parsers.map((each) => ({ packageName: each.package, functions: [...each.functions] })),
    ...(source?.test && { source: { kind: source.kind, description: source.test.description } }),
    problems: problems.map(({ severity, reason = "", ...problem }) => ({
      ...problem,
      ...{ reason, severity: severities[severity] },
    })),
  };
}
