import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { lookAtAddress } from "./address-look.ts";
import { type Place, type Sight, sightOf } from "./look.ts";

/**
 * A driver of the profile that lives and says nothing although no address file leads to it: it may hang with the profile's
 * lock in its hands. Its own file among the instances says which process it is.
 */
export async function lookForHiddenHolder(
  place: Place,
  signal: AbortSignal,
): Promise<Extract<Sight, { kind: "silent" }> | undefined> {
  const folder = join(place.dataDirectory, "instances");
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each.endsWith(".json"))) {
    const address = await lookAtAddress(join(folder, name));
    if (address.kind !== "address" || address.file.profile !== place.profile) continue;
    const sight = await sightOf(place, address, signal);
    if (sight.kind === "silent") return sight;
    if (sight.kind === "serving") await sight.found.channel[Symbol.asyncDispose]();
  }
  return undefined;
}
