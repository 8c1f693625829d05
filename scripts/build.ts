/** Builds what the repository runs: the driver and the command, and the client package with its declarations. */
import { globSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { buildClient } from "./build-compiled.ts";
import { bundle, type Program } from "./bundle.ts";

const root = join(import.meta.dirname, "..");
const keptMs = 7 * 24 * 3_600_000;

await Promise.all([
  bundleInto("driver", join(root, "packages/driver/dist")),
  bundleInto("cli", join(root, "clients/cli/dist")),
]);
buildClient(join(root, "clients/node/dist"));

async function bundleInto(program: Program, dist: string): Promise<void> {
  const { files } = await bundle(program, dist);
  const written = new Set(files);
  // A driver that runs from an earlier build loads its chunks when it first needs them: they stay for a week.
  for (const name of globSync("**/*.{mjs,map,txt}", { cwd: dist })) {
    const file = join(dist, name);
    if (!written.has(file) && statSync(file).mtimeMs < Date.now() - keptMs) rmSync(file, { force: true });
  }
}
