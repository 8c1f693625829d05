import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * npm's program, as the driver's own package brings it: found like any package from here, from the sources, a bundle's chunk or an
 * installation alike.
 */
export function npmProgram(): string {
  const manifest = createRequire(import.meta.url).resolve("npm/package.json");
  return join(dirname(manifest), "bin", "npm-cli.js");
}
