import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Compiles the client package, with its declarations, into a folder that holds nothing else afterwards. */
export function buildClient(outDir: string): void {
  rmSync(outDir, { recursive: true, force: true });
  execFileSync("tsc", ["-p", "clients/node/tsconfig.json", "--outDir", outDir], { cwd: root, stdio: "inherit" });
  // What the compiler derives from the generated JavaScript is poorer than the declarations generated beside it.
  cpSync(join(root, "clients/node/src/gen"), join(outDir, "gen"), { recursive: true });
}
