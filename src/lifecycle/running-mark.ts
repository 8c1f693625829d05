import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/*
 * The mark stands from the moment that a driver is ready until it is asked to end: one that stays without its driver says
 * that this one crashed or was killed. Only the holder of the profile's lock touches it.
 */

/** Makes the mark of the profile's present driver. */
export async function markRunning(dataDir: string, profile: string, instanceId: string): Promise<void> {
  const path = markPath(dataDir, profile);
  // Another user's, of a driver that was killed, can be removed but not written.
  await rm(path, { force: true });
  await writeFile(path, `${instanceId}\n`);
}

/** Takes it away, unless another driver has made it since. */
export async function unmarkRunning(dataDir: string, profile: string, instanceId: string): Promise<void> {
  const path = markPath(dataDir, profile);
  const owner = await readFile(path, "utf8").catch(() => "");
  if (owner.trim() === instanceId) await rm(path, { force: true });
}

function markPath(dataDir: string, profile: string): string {
  return join(dataDir, "drivers", `${profile}.running`);
}
