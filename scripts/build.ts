/** Builds what runs: the driver and the command, and the client package with its declarations. */
import { execFileSync } from "node:child_process";
import { cpSync, globSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const keptMs = 7 * 24 * 3_600_000;

const written = new Set(await bundle(dist));
// A driver that runs from an earlier build loads its chunks when it first needs them: they stay for a week.
for (const name of globSync("**/*.{mjs,map,txt}", { cwd: dist })) {
  const file = join(dist, name);
  if (!written.has(file) && statSync(file).mtimeMs < Date.now() - keptMs) rmSync(file, { force: true });
}

execFileSync("tsc", ["-p", "clients/node/tsconfig.json"], { cwd: root, stdio: "inherit" });
// What the compiler derives from the generated JavaScript is poorer than the declarations generated beside it.
cpSync(join(root, "clients/node/src/gen"), join(root, "clients/node/dist/gen"), { recursive: true });
