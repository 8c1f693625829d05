/** One version for all packages, and one of every dependency that the root pins: fails with a line for each that differs. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { clientVersion } from "../clients/node/src/version.ts";

interface Package {
  readonly name: string;
  readonly version: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const rootFolder = join(import.meta.dirname, "..");
const root = read("package.json");
const lock = JSON.parse(readFileSync(join(rootFolder, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
};
const folders = globSync(
  (root.workspaces ?? []).map((pattern) => `${pattern}/package.json`),
  { cwd: rootFolder },
)
  .map((file) => file.slice(0, -"/package.json".length))
  .sort();
const members = new Map(folders.map((folder) => [folder, read(`${folder}/package.json`)]));
const names = new Set([...members.values()].map(({ name }) => name));
const pinned = { ...root.dependencies, ...root.optionalDependencies };

const wrong = [
  ...(clientVersion === root.version ? [] : [`clients/node/src/version.ts says ${clientVersion}`]),
  ...[...members].flatMap(([folder, member]) => differences(folder, member)),
  ...["", ...folders].flatMap((folder) => unlocked(folder)),
];
for (const line of wrong) process.stderr.write(`${line}\n`);
if (wrong.length > 0) process.exitCode = 1;

function read(file: string): Package {
  return JSON.parse(readFileSync(join(rootFolder, file), "utf8")) as Package;
}

function differences(folder: string, { version, dependencies, optionalDependencies }: Package): readonly string[] {
  const own = version === root.version ? [] : [`${folder} has version ${version}; the root has ${root.version}`];
  const needs = Object.entries({ ...dependencies, ...optionalDependencies });
  return [
    ...own,
    ...needs.flatMap(([name, wanted]) => {
      const right = names.has(name) ? root.version : pinned[name];
      return wanted === right ? [] : [`${folder} wants ${name} ${wanted}; the root says ${right ?? "nothing of it"}`];
    }),
  ];
}

function unlocked(folder: string): readonly string[] {
  const locked = lock.packages[folder]?.version;
  return locked === root.version ? [] : [`package-lock.json has version ${locked} of ${folder || "the root"}`];
}
