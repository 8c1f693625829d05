import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { notices } from "./notices.ts";
import { pack } from "./packages.ts";

const root = join(import.meta.dirname, "..");
/** Of the package that carries Node, headers, manuals and npm's pages are of no use here. */
const nodeFiles = ["bin/node", "LICENSE", "package.json"];

export interface TarballOptions {
  /** 1 is fast, 9 small. Default: 6; 9 takes three times as long and saves 1 %. */
  readonly compression?: number;
}

/** Makes the archive for this system in a folder and answers with its path. */
export async function makeTarball(destination: string, { compression = 6 }: TarballOptions = {}): Promise<string> {
  if (process.platform !== "linux") throw new Error(`made on Linux only, since what is inside is this system's`);
  const { version } = readManifest(root);
  const name = `drover-${version}-linux-${process.arch}`;
  mkdirSync(destination, { recursive: true });
  mkdirSync(join(root, ".cache"), { recursive: true });
  const work = mkdtempSync(join(root, ".cache", "package-"));
  try {
    await assemble(join(work, name), join(work, "packages"));
    const file = join(destination, `${name}.tar.gz`);
    archive({ folder: work, name, file, compression });
    return file;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Lays the packages out as npm would install them, so that everything finds everything as it does there. */
async function assemble(stage: string, packages: string): Promise<void> {
  const modules = join(stage, "lib", "node_modules");
  const { client, driver, cli, connector } = await pack(packages);
  unpack(driver, join(modules, "@drover", "driver"));
  unpack(cli, join(modules, "@drover", "cli"));
  const needed = dependenciesOf(readManifest(join(modules, "@drover", "driver")));
  for (const name of needed) copyPackage(name, modules);

  mkdirSync(join(stage, "bin"));
  symlinkSync("../lib/node_modules/@drover/cli/bin/drover", join(stage, "bin", "drover"));
  symlinkSync("../lib/node_modules/@drover/driver/bin/drover-driver", join(stage, "bin", "drover-driver"));
  cpSync(join(root, "packaging", "systemd"), join(stage, "share", "systemd"), { recursive: true });
  for (const file of [client, connector]) cpSync(file, join(stage, "share", "npm", basename(file)));
  cpSync(join(root, "docs"), join(stage, "share", "doc"), { recursive: true });
  cpSync(join(root, "LICENSE"), join(stage, "LICENSE"));
  const bundled = ["driver", "cli"].map((each) =>
    readFileSync(join(modules, "@drover", each, "THIRD-PARTY-NOTICES"), "utf8"),
  );
  const copied = notices([...needed].map((each) => join(modules, each)));
  writeFileSync(join(stage, "THIRD-PARTY-NOTICES"), [...bundled, copied].join("\n"));
}

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  /** Inside of the package already. */
  readonly bundleDependencies?: readonly string[];
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** With all that they need in turn; of the optional ones those that npm found right for this system. */
function dependenciesOf(manifest: Manifest, found = new Set<string>()): ReadonlySet<string> {
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    if (manifest.bundleDependencies?.includes(name)) continue;
    const installed = existsSync(installedAt(name));
    if (!installed && manifest.optionalDependencies?.[name] === undefined) throw new Error(`${name} is not installed`);
    if (!installed || found.has(name)) continue;
    found.add(name);
    dependenciesOf(readManifest(installedAt(name)), found);
  }
  return found;
}

function installedAt(name: string): string {
  return join(root, "node_modules", name);
}

function copyPackage(name: string, modules: string): void {
  const parts = name.startsWith("node-linux-") ? nodeFiles : [""];
  for (const part of parts) {
    cpSync(join(installedAt(name), part), join(modules, name, part), { recursive: true, dereference: true });
  }
}

function unpack(file: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync("tar", ["-xzf", file, "--strip-components=1", "-C", folder]);
}

interface ArchiveOptions {
  readonly folder: string;
  readonly name: string;
  readonly file: string;
  readonly compression: number;
}

/** Everything root's and readable for all, whoever packs it with whatever umask; in one order. */
function archive({ folder, name, file, compression }: ArchiveOptions): void {
  const rights = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "--sort=name"];
  const compress = `--use-compress-program=gzip -n -${compression}`;
  execFileSync("tar", ["-C", folder, ...rights, compress, "-cf", file, name], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}
