import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildClient, buildConnector } from "./build-compiled.ts";
import { bundle, type Program } from "./bundle.ts";
import { notices } from "./notices.ts";

const root = join(import.meta.dirname, "..");
/** The condition under which the repository itself reads the sources, which no package contains. */
const sourceCondition = "drover-source";

/** The paths of the packages. */
export interface Packed {
  readonly client: string;
  readonly driver: string;
  readonly cli: string;
  readonly connector: string;
}

/**
 * Makes the packages from the sources, in a folder that is made if need be. Nothing built before is used, so that
 * chunks which `npm run build` keeps for running drivers don't get in.
 */
export async function pack(destination: string): Promise<Packed> {
  return packed(destination, {
    client: (stage) => stageCompiled("clients/node", stage, buildClient),
    driver: stageDriver,
    cli: (stage) => stageProgram("cli", "clients/cli", stage),
    connector: (stage) => stageCompiled("packages/connector", stage, buildConnector),
  });
}

/** Makes the package of the connector interface alone. */
export async function packConnector(destination: string): Promise<string> {
  const { connector } = await packed(destination, {
    connector: (stage) => stageCompiled("packages/connector", stage, buildConnector),
  });
  return connector;
}

type Stages<N extends string> = Readonly<Record<N, (stage: string) => unknown>>;

async function packed<N extends string>(destination: string, stages: Stages<N>): Promise<Record<N, string>> {
  mkdirSync(join(root, ".cache"), { recursive: true });
  mkdirSync(destination, { recursive: true });
  const stage = mkdtempSync(join(root, ".cache", "pack-"));
  const names = Object.keys(stages) as N[];
  try {
    await Promise.all(names.map(async (name) => stages[name](join(stage, name))));
    const folders = names.map((name) => `./${name}`);
    execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", destination, ...folders], {
      cwd: stage,
      stdio: ["ignore", "ignore", "inherit"],
    });
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  const { version } = readJson(join(root, "package.json"));
  const files = names.map((name) => [name, join(destination, `drover-${name}-${version}.tgz`)] as const);
  return Object.fromEntries(files) as Record<N, string>;
}

/**
 * npm installs library sets. It lies inside of the package: as a dependency beside it, its command would take the place of the app
 * server's own npm.
 */
async function stageDriver(stage: string): Promise<void> {
  const manifest = await stageProgram("driver", "packages/driver", stage);
  writeManifest(stage, { ...manifest, bundleDependencies: ["npm"] });
  const npm = join(root, "node_modules", "npm");
  const pages = ["docs", "man"].map((each) => join(npm, each));
  cpSync(npm, join(stage, "node_modules", "npm"), { recursive: true, filter: (path) => !pages.includes(path) });
  appendFileSync(join(stage, "THIRD-PARTY-NOTICES"), `\n${notices([npm])}`);
}

async function stageProgram(program: Program, folder: string, stage: string): Promise<object> {
  const manifest = stageCommon(folder, stage);
  cpSync(join(root, folder, "bin"), join(stage, "bin"), { recursive: true });
  const { packages } = await bundle(program, join(stage, "dist"));
  writeFileSync(join(stage, "THIRD-PARTY-NOTICES"), notices(packages));
  // Comments that the notices have in full.
  for (const file of globSync("dist/**/*.LEGAL.txt", { cwd: stage })) rmSync(join(stage, file));
  return manifest;
}

function stageCompiled(folder: string, stage: string, build: (outDir: string) => void): void {
  stageCommon(folder, stage);
  build(join(stage, "dist"));
}

function stageCommon(folder: string, stage: string): object {
  mkdirSync(stage, { recursive: true });
  cpSync(join(root, "LICENSE"), join(stage, "LICENSE"));
  cpSync(join(root, folder, "README.md"), join(stage, "README.md"));
  const manifest = withoutSources(readJson(join(root, folder, "package.json"))) as object;
  writeManifest(stage, manifest);
  return manifest;
}

function writeManifest(stage: string, manifest: object): void {
  writeFileSync(join(stage, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function withoutSources(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([key]) => key !== sourceCondition);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutSources(inner)]));
}

function readJson(file: string): { readonly [key: string]: unknown } {
  return JSON.parse(readFileSync(file, "utf8"));
}
