import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readdir, realpath } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { driverCommand } from "./driver.ts";

const run = promisify(execFile);

/** The program where every user can read it: a checkout in somebody's home can't be. */
export async function copyProgram(target: string): Promise<readonly string[]> {
  const [node = "", driver = ""] = driverCommand();
  const require = createRequire(import.meta.url);
  const bindings = dirname(require.resolve("@duckdb/node-bindings/package.json"));
  const scope = dirname(bindings);
  await mkdir(join(target, "node_modules", "@duckdb"), { recursive: true });
  for (const name of await readdir(scope)) {
    if (!name.startsWith("node-bindings")) continue;
    await cp(await realpath(join(scope, name)), join(target, "node_modules", "@duckdb", name), { recursive: true });
  }
  await cp(dirname(driver), target, { recursive: true });
  await cp(await realpath(node), join(target, "node"));
  await chmod(target, 0o755);
  await run("chmod", ["-R", "go+rX", target]);
  return [join(target, "node"), join(target, basename(driver))];
}
