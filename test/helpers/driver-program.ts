import { join } from "node:path";

/** The program of the driver's package that a folder's bundles belong to. */
export function programIn(folder: string): string {
  return join(folder, "node_modules", "@drover", "driver", "bin", "drover-driver");
}
