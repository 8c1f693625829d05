import type { DatasetInfo, DatasetStore } from "./model.ts";
import type { Version } from "./version.ts";

/** As `DatasetStore.rollback`, over what is the current version now. That one may be damaged: then this is how to get rid of it. */
export async function rollback(
  store: Pick<DatasetStore, "pin" | "stage" | "get">,
  current: Version,
  { name, version, signal }: { readonly name: string; readonly version: number; readonly signal: AbortSignal },
): Promise<DatasetInfo> {
  if (version === current.number || current.manifest?.lineage.restoredFrom === version) return store.get(name);
  await using wanted = await store.pin(name, version, { signal });
  await using staged = await store.stage(name);
  const segments = await staged.keep(wanted, wanted.manifest.segments);
  const content = { ...wanted.manifest, segments, lineage: { ...wanted.manifest.lineage, restoredFrom: version } };
  return await staged.publish(content, {}, { basedOn: current });
}
