import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** What should not be in a data directory whose last driver has ended properly. */
export async function leftOver(dataDirectory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await names(dataDirectory, "drivers"))
    if (!/^default\.(lock|next\.lock|start\.lock|starts\.json)$/.test(name)) found.push(`drivers/${name}`);
  for (const folder of ["instances", "work"])
    for (const name of await names(dataDirectory, folder)) found.push(`${folder}/${name}`);
  return found;
}

function names(...path: readonly string[]): Promise<readonly string[]> {
  return readdir(join(...path)).catch(() => []);
}
