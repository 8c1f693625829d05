import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildClient } from "./build-client.ts";
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
}

/**
 * Makes the three packages from the sources, in a folder that is made if need be. Nothing built before is used, so that
 * chunks which `npm run build` keeps for running drivers don't get in.
 */
export async function pack(destination: string): Promise<Packed> {
  mkdirSync(join(root, ".cache"), { recursive: true });
  mkdirSync(destination, { recursive: true });
  const stage = mkdtempSync(join(root, ".cache", "pack-"));
  try {
    await Promise.all([
      stageProgram("driver", "packages/driver", join(stage, "driver")),
      stageProgram("cli", "clients/cli", join(stage, "cli")),
    ]);
    stageClient(join(stage, "client"));
    const folders = ["./client", "./driver", "./cli"];
    execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", destination, ...folders], {
      cwd: stage,
      stdio: ["ignore", "ignore", "inherit"],
    });
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  const { version } = readJson(join(root, "package.json"));
  const file = (name: keyof Packed) => join(destination, `drover-${name}-${version}.tgz`);
  return { client: file("client"), driver: file("driver"), cli: file("cli") };
}

async function stageProgram(program: Program, folder: string, stage: string): Promise<void> {
  stageCommon(folder, stage);
  cpSync(join(root, folder, "bin"), join(stage, "bin"), { recursive: true });
  const { packages } = await bundle(program, join(stage, "dist"));
  writeFileSync(join(stage, "THIRD-PARTY-NOTICES"), notices(packages));
  // Comments that the notices have in full.
  for (const file of globSync("dist/**/*.LEGAL.txt", { cwd: stage })) rmSync(join(stage, file));
}

function stageClient(stage: string): void {
  stageCommon("clients/node", stage);
  buildClient(join(stage, "dist"));
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
