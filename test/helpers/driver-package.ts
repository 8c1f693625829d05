import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../scripts/bundle.ts";
import { programIn } from "./driver-program.ts";

const driverPackage = fileURLToPath(new URL("../../packages/driver", import.meta.url));

/** A new folder below the repository, where bundles find the native binding. */
export async function bundleFolder(): Promise<string> {
  const folder = fileURLToPath(new URL("../../.cache/test-bundles-", import.meta.url));
  await mkdir(dirname(folder), { recursive: true });
  return mkdtemp(folder);
}

/** So that the command beside it finds this driver, by its own resolution, and not the one that was built last. Answers its program. */
export async function installDriver(folder: string): Promise<string> {
  const installed = join(folder, "node_modules", "@drover", "driver");
  await cp(join(driverPackage, "package.json"), join(installed, "package.json"));
  await cp(join(driverPackage, "bin"), join(installed, "bin"), { recursive: true });
  await symlink(folder, join(installed, "dist"));
  return programIn(folder);
}

/** The driver's package with its bundle, as a version of its own or the present one. Disposing removes it. */
export async function driverPackageOf(version?: string) {
  const folder = await bundleFolder();
  await bundle("driver", folder, version === undefined ? undefined : { version });
  const program = await installDriver(folder);
  if (version !== undefined) {
    const file = join(dirname(program), "..", "package.json");
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), version }));
  }
  return { folder, program, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
