import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
    driver: (stage) => stageProgram("driver", "packages/driver", stage),
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

type Stages<N extends string> = Readonly<Record<N, (stage: string) => void | Promise<void>>>;

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

async function stageProgram(program: Program, folder: string, stage: string): Promise<void> {
  stageCommon(folder, stage);
  cpSync(join(root, folder, "bin"), join(stage, "bin"), { recursive: true });
  const { packages } = await bundle(program, join(stage, "dist"));
  writeFileSync(join(stage, "THIRD-PARTY-NOTICES"), notices(packages));
  // Comments that the notices have in full.
  for (const file of globSync("dist/**/*.LEGAL.txt", { cwd: stage })) rmSync(join(stage, file));
}

function stageCompiled(folder: string, stage: string, build: (outDir: string) => void): void {
  stageCommon(folder, stage);
  build(join(stage, "dist"));
}

function stageCommon(folder: string, stage: string): void {
  mkdirSync(stage, { recursive: true });
  cpSync(join(root, "LICENSE"), join(stage, "LICENSE"));
  cpSync(join(root, folder, "README.md"), join(stage, "README.md"));
  const manifest = readJson(join(root, folder, "package.json"));
  writeFileSync(join(stage, "package.json"), `${JSON.stringify(withoutSources(manifest), null, 2)}\n`);
}

function withoutSources(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([key]) => key !== sourceCondition);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutSources(inner)]));
}

function readJson(file: string): { readonly [key: string]: unknown } {
  return JSON.parse(readFileSync(file, "utf8"));
}
