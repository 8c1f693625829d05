import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Compiles the client package, with its declarations, into a folder that holds nothing else afterwards. */
export function buildClient(outDir: string): void {
  compile("clients/node", outDir);
  // What the compiler derives from the generated JavaScript is poorer than the declarations generated beside it.
  cpSync(join(root, "clients/node/src/gen"), join(outDir, "gen"), { recursive: true });
}

/** The same for the interface of connectors. */
export function buildConnector(outDir: string): void {
  compile("packages/connector", outDir);
}

function compile(folder: string, outDir: string): void {
  rmSync(outDir, { recursive: true, force: true });
  execFileSync("tsc", ["-p", `${folder}/tsconfig.json`, "--outDir", outDir], { cwd: root, stdio: "inherit" });
}
