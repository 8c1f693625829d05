import type { PackageVersion, RunningLibrarySet, UsedLibraries } from "../../../node/src/index.ts";
import { printable } from "./cell.ts";

const shownDigits = 12;

/** As much of a set's hash as people need. */
export function shortHash(hash: string): string {
  return printable(hash.slice(0, shownDigits));
}

/** `warehouse 3f2a1b9c0d1e for postgres, sources sales-*: pg 8.11.3`. */
export function runningSetText({ name, hash, kinds, sourcePatterns, packages }: RunningLibrarySet): string {
  const sources = sourcePatterns.length === 0 ? [] : [`sources ${sourcePatterns.join(" ")}`];
  const served = [...kinds, ...sources].map(printable).join(", ");
  // Not everybody is told the names of sources.
  return `${printable(name)} ${shortHash(hash)}${served && ` for ${served}`}: ${packagesText(packages)}`;
}

/** `warehouse 3f2a1b9c0d1e: pg 8.11.3`, or `built-in: pg 8.23.1`. */
export function usedLibrariesText({ set, packages }: UsedLibraries): string {
  const name = set === undefined ? "built-in" : `${printable(set.name)} ${shortHash(set.hash)}`;
  return `${name}: ${packagesText(packages)}`;
}

function packagesText(packages: readonly PackageVersion[]): string {
  return packages.map(({ name, version }) => printable(`${name} ${version}`)).join(", ") || "no packages";
}
