import { readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asStorageError } from "../../../src/datasets/files.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { openParts, type Parts } from "./open-parts.ts";
import { isAsWritten, writeRawSegments } from "./raw-segments.ts";

// Runs on a disk, or with files, that can't take more than a few megabytes, and reports what happened as one JSON object.
const [dataDirectory = ""] = process.argv.slice(2);
const MB = 1_000_000;
const report: Record<string, unknown> = {};
const { signal } = new AbortController();

/** Loads as a loader does; answers the new version or the reason why there is none. */
async function load({ store, operations }: Parts, name: string, sizes: readonly number[]): Promise<number | string> {
  const request = { kind: "load", dataset: name, requestedBy: "test", labels: {}, configuration: {} } as const;
  const { done } = operations.run(
    request,
    async (handle) => {
      await using staged = await store.stage(name);
      handle.begin();
      const content = await writeRawSegments(staged.directory, handle.id, sizes).catch((error) => {
        throw asStorageError(error);
      });
      const { current } = await staged.publish(content, {});
      return { result: current.number, outcome: {} };
    },
    {},
  );
  return await done.catch((error) => (error instanceof DriverError ? error.reason : String(error)));
}

async function readsWhole({ store }: Parts, name: string): Promise<boolean> {
  await using pinned = await store.pin(name, 0, { signal });
  const { segments, lineage } = pinned.manifest;
  const whole = pinned.segmentPaths.map((path, index) =>
    isAsWritten(path, String(segments[index]?.file), lineage.options),
  );
  return (await Promise.all(whole)).every(Boolean);
}

/** Fills the disk to the last byte, or as far as one file may grow. */
async function fill(path: string): Promise<void> {
  for (const bytes of [MB, 10_000, 100, 1]) {
    for (let full = false; !full; ) {
      await writeFile(path, Buffer.alloc(bytes), { flag: "a" }).catch(() => {
        full = true;
      });
    }
  }
}

{
  await using parts = await openParts(dataDirectory);
  const { store } = parts;
  report.fits = await load(parts, "a", [MB, MB]);
  report.tooLarge = await load(parts, "a", [20 * MB]);
  report.previousWhole = await readsWhole(parts, "a");
  report.staging = (await readdir(join(dataDirectory, "staging", parts.instanceId)).catch(() => [])).length;
  await fill(join(dataDirectory, "filler"));
  report.whenFull = await load(parts, "b", [100_000]);
  // Room for the segment, but for nothing of what publishing writes.
  await truncate(join(dataDirectory, "filler"), (await stat(join(dataDirectory, "filler"))).size - 102_400);
  report.whenAlmostFull = await load(parts, "a", [100_000]);
  report.previousWholeWhenFull = await readsWhole(parts, "a");
  await rm(join(dataDirectory, "filler"));
  report.afterwards = await load(parts, "a", [MB]);
  await fill(join(dataDirectory, "filler"));
  report.deletedWhenFull = await store.delete("a").then(
    () => true,
    (error) => String(error),
  );
  await rm(join(dataDirectory, "filler"));
  report.last = await load(parts, "b", [MB]);
}
{
  await using parts = await openParts(dataDirectory);
  await parts.operations.recover();
  report.afterRestart = parts.store.list({ labels: {} }).map(({ name, current }) => `${name} ${current.number}`);
  const filter = { pageSize: 100, pageToken: "", kinds: [], states: [], labels: {}, dataset: "" };
  report.states = parts.operations.list(filter).operations.map(({ state }) => state);
  report.damaged = parts.events.filter(({ type }) => type === "damaged");
}
report.left =
  (await readdir(join(dataDirectory, "staging"))).length + (await readdir(join(dataDirectory, "trash"))).length;
console.log(JSON.stringify(report));
