import semver from "semver";
import { CLIENT_LIBRARIES, type LibraryPackage, type LibrarySetManifest } from "../model.ts";
import type { Problem } from "./model.ts";

/** What a set meets here. */
export interface Here {
  /** Node's version, without a v. */
  readonly node: string;
  readonly platform: string;
  /** The versions of the connector interface that workers have. */
  readonly interfaces: readonly number[];
  /** The driver's own client libraries, by name. */
  readonly own: Readonly<Record<string, string>>;
}

/** What a manifest says already, without running any code. */
export function knownProblems(manifest: LibrarySetManifest, here: Here): readonly Problem[] {
  const { packages } = manifest;
  return [
    ...platformProblems(manifest, here),
    ...interfaceProblems(manifest, here),
    ...packages.flatMap((each) => [
      ...engineProblems(each, here),
      ...peerProblems(each, packages),
      ...scriptProblems(each),
      ...licenceProblems(each),
    ]),
    ...companionProblems(packages, here),
  ];
}

function platformProblems({ platform }: LibrarySetManifest, here: Here): readonly Problem[] {
  if (platform === undefined || platform === here.platform) return [];
  return [error("the set", `it was made on ${platform}, and this is ${here.platform}`)];
}

function interfaceProblems({ connectors }: LibrarySetManifest, { interfaces }: Here): readonly Problem[] {
  return connectors
    .filter((connector) => !interfaces.includes(connector.interface))
    .map(({ package: name, version, interface: number, kind }) =>
      error(
        `${name}@${version}`,
        `its connector ${kind} was made for connector interface ${number}; this driver has ${interfaces.join(", ")}`,
      ),
    );
}

function engineProblems(each: LibraryPackage, { node }: Here): readonly Problem[] {
  const wanted = each.engines?.node;
  if (wanted === undefined || semver.satisfies(node, wanted, { includePrerelease: true })) return [];
  if (semver.validRange(wanted) === null) return [];
  return [error(idOf(each), `it needs Node ${wanted}; workers run on ${node}`)];
}

function peerProblems(each: LibraryPackage, packages: readonly LibraryPackage[]): readonly Problem[] {
  return Object.entries(each.peerDependencies ?? {}).flatMap(([name, wanted]) => {
    // Workers have the interface themselves.
    if (name === "@drover/connector") return [];
    const found = besideOf(each, name, packages);
    if (found === undefined)
      return [error(idOf(each), `it needs ${name} ${wanted} beside it, which the set does not hold`)];
    if (semver.satisfies(found.version, wanted, { includePrerelease: true })) return [];
    return [error(idOf(each), `it needs ${name} ${wanted} beside it; the set holds ${found.version}`)];
  });
}

/** The package that a package finds by a name: in its own folder, and in each one above. */
function besideOf(
  { path }: LibraryPackage,
  name: string,
  packages: readonly LibraryPackage[],
): LibraryPackage | undefined {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))) {
    const place = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    const found = packages.find((each) => each.path === place);
    if (found !== undefined || folder === "") return found;
  }
}

function scriptProblems(each: LibraryPackage): readonly Problem[] {
  if (each.scripts !== "skipped") return [];
  return [
    warning(
      idOf(each),
      `it has install scripts, which have not run; where it does not work without, create the set with --allow-scripts ${each.name}`,
    ),
  ];
}

function licenceProblems(each: LibraryPackage): readonly Problem[] {
  if (each.license === undefined) return [warning(idOf(each), "it does not say under which licence it may be used")];
  return each.license === "UNLICENSED" ? [warning(idOf(each), "it may not be used without its owner's leave")] : [];
}

/** A client library with companions that the set leaves to the driver, whose own may not fit. */
function companionProblems(packages: readonly LibraryPackage[], { own }: Here): readonly Problem[] {
  const find = (name: string) => packages.find(({ path }) => path === `node_modules/${name}`);
  return Object.values(CLIENT_LIBRARIES).flatMap(({ library, companions }) => {
    const main = find(library);
    if (main === undefined) return [];
    return companions
      .filter((name) => find(name) === undefined)
      .map((name) =>
        warning(
          idOf(main),
          `the set holds no ${name}: the driver's own ${own[name]} is used with it, which was made for ${library} ${own[library]}`,
        ),
      );
  });
}

function idOf({ name, version }: LibraryPackage): string {
  return `${name}@${version}`;
}

function error(subject: string, message: string): Problem {
  return { severity: "error", subject, message };
}

function warning(subject: string, message: string): Problem {
  return { severity: "warning", subject, message };
}
