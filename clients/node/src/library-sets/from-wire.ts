import { statusError } from "../errors.ts";
import {
  type CheckLibrarySetResponse,
  LibraryProblem_Severity as Severity,
  type LibraryPackage as WirePackage,
  InstallPhase as WirePhase,
  type InstallProgress as WireProgress,
  InstallScripts as WireScripts,
  type LibrarySet as WireSet,
} from "../gen/drover/v1/library_service_pb.js";
import { dateFrom } from "../times.ts";
import type {
  InstallPhase,
  InstallProgress,
  LibraryPackage,
  LibraryProblem,
  LibrarySet,
  LibrarySetCheck,
  LibrarySetSummary,
} from "./model.ts";

const phases: Readonly<Record<number, InstallPhase>> = {
  [WirePhase.RESOLVING]: "resolving",
  [WirePhase.FETCHING]: "fetching",
  [WirePhase.CHECKING]: "checking",
  [WirePhase.SCRIPTS]: "scripts",
  [WirePhase.PUBLISHING]: "publishing",
};

const scripts: Readonly<Record<number, LibraryPackage["scripts"]>> = {
  [WireScripts.NONE]: "none",
  [WireScripts.SKIPPED]: "skipped",
  [WireScripts.RAN]: "ran",
};

export function installProgressFrom({ phase, packages, totalPackages }: WireProgress): InstallProgress {
  return { phase: phases[phase] ?? "unknown", packages, totalPackages: totalPackages || undefined };
}

const severities: Readonly<Record<number, LibraryProblem["severity"]>> = {
  [Severity.ERROR]: "error",
  [Severity.WARNING]: "warning",
};

export function setCheckFrom(answer: CheckLibrarySetResponse, set: WireSet): LibrarySetCheck {
  const { nodeVersion, kinds, parsers, source, problems } = answer;
  return {
    librarySet: librarySetFrom(set),
    nodeVersion,
    kinds: kinds.map(({ kind, loads, packages }) => ({ kind, loads, packages: packages.map(versionFrom) })),
    parsers: parsers.map(({ packageName, functions }) => ({ package: packageName, functions })),
    source: source && { kind: source.kind, description: source.description },
    problems: problems.map(({ severity, subject, message, reason }) => ({
      severity: severities[severity] ?? "unknown",
      ...{ subject, message },
      reason: reason || undefined,
    })),
  };
}

export function librarySetFrom(set: WireSet): LibrarySet {
  return { ...summaryFrom(set), packages: set.packages.map(packageFrom) };
}

export function summaryFrom(set: WireSet): LibrarySetSummary {
  const { name, hash, createdBy, kinds, packageCount, files } = set;
  return {
    ...{ name, hash, createdBy, kinds, packageCount, files },
    createTime: dateFrom(set.createTime),
    asked: set.asked.map(versionFrom),
    settings: Object.fromEntries(set.settings.map(({ kind, options }) => [kind, { ...options }])),
    connectors: set.connectors.map((connector) => ({
      ...{ kind: connector.kind, package: connector.packageName, version: connector.packageVersion },
      ...{ interface: connector.interfaceVersion, summary: connector.summary },
    })),
    parsers: set.parsers.map(versionFrom),
    platform: set.platform || undefined,
    bytes: Number(set.bytes),
    problem: set.problem && statusError(set.problem),
  };
}

function versionFrom({ name, version }: { readonly name: string; readonly version: string }) {
  return { name, version };
}

function packageFrom(each: WirePackage): LibraryPackage {
  const { name, version, path, integrity, license, direct, engines, peerDependencies } = each;
  return {
    ...{ name, version, path, direct, scripts: scripts[each.scripts] ?? "unknown" },
    integrity: integrity || undefined,
    license: license || undefined,
    engines: { ...engines },
    peerDependencies: { ...peerDependencies },
  };
}
