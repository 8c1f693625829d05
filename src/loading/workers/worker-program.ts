import { dirname, join } from "node:path";

/** Node, its arguments and the worker's program, which lies beside the driver's: bundled, or as the sources have it. */
export function workerProgram(driverProgram: string): readonly string[] {
  const folder = dirname(driverProgram);
  return driverProgram.endsWith(".ts")
    ? [process.execPath, "--conditions=drover-source", join(folder, "worker.ts")]
    : [process.execPath, join(folder, "worker.mjs")];
}
