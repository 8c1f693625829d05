import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Node, its arguments and the worker's program, which lies beside the driver's: bundled, or as the sources have it. */
export function workerProgram(driverProgram: string): readonly string[] {
  const folder = dirname(driverProgram);
  return driverProgram.endsWith(".ts")
    ? [process.execPath, "--conditions=drover-source", join(folder, "worker.ts")]
    : [process.execPath, join(folder, "worker.mjs")];
}

/** Where a worker's own code lies. */
export interface ProgramFiles {
  /** Folders that hold nothing but the driver's program and its engine; real. */
  readonly folders: readonly string[];
  /** The connector interface, as packages get it. */
  readonly interfaceModule: string;
}

/** What a worker's program, the last of its command, needs to be read. */
export function programFiles(program: readonly string[]): ProgramFiles {
  const worker = realpathSync(program.at(-1) ?? "");
  const folder = dirname(worker);
  if (!worker.endsWith(".ts"))
    return { folders: [folder, ...engineFolders(worker)], interfaceModule: join(folder, "interface.mjs") };
  const root = dirname(folder);
  const parts = ["src", "packages", "node_modules", "package.json"].map((name) => join(root, name));
  return { folders: parts, interfaceModule: join(root, "packages", "connector", "src", "index.ts") };
}

/** The engine's native binding: the one part of the program that no bundle holds. */
function engineFolders(worker: string): readonly string[] {
  const binding = packageFolder("@duckdb/node-bindings", worker);
  if (binding === undefined) return [];
  const platform = `@duckdb/node-bindings-${process.platform}-${process.arch}`;
  const native = [platform, `${platform}-musl`].flatMap((name) => packageFolder(name, join(binding, "index.js")) ?? []);
  return [binding, ...native];
}

function packageFolder(name: string, from: string): string | undefined {
  try {
    return dirname(realpathSync(createRequire(from).resolve(`${name}/package.json`)));
  } catch {
    return undefined;
  }
}
