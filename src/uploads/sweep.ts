import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { UploadCatalog, UploadRecord } from "../catalog/uploads.ts";
import { namesIn } from "../datasets/files.ts";
import { isUploadFile } from "./file-name.ts";
import { type Uploads, uploadId } from "./model.ts";
import type { UploadLimits } from "./upload-space.ts";

export interface SweepOptions {
  readonly folder: string;
  readonly catalog: UploadCatalog;
  readonly isAlive: (instanceId: string) => Promise<boolean>;
  readonly limits: UploadLimits;
  /** The ids that something refers to; asked for only where one may be removed. */
  readonly referred: () => Promise<ReadonlySet<string>>;
}

export interface RegularSweepOptions {
  /** The URIs of all that refers to something. */
  readonly referring: () => Promise<readonly string[]>;
  readonly onError: (error: unknown) => void;
}

const SWEEP_EVERY_MS = 3_600_000;

/** Looks through the uploads every hour, until it is disposed of. `sweep` does it now and never fails. */
export function sweepRegularly(
  uploads: Pick<Uploads, "sweep">,
  { referring, onError }: RegularSweepOptions,
): Disposable & { sweep(): Promise<void> } {
  const referred = async () => new Set((await referring()).flatMap((uri) => uploadId(uri) ?? []));
  const sweep = () => uploads.sweep(referred).catch(onError);
  const timer = setInterval(sweep, SWEEP_EVERY_MS).unref();
  return { sweep, [Symbol.dispose]: () => clearInterval(timer) };
}

/** A file has its record before its first byte, so one without a record was to be removed; this is for clocks of other hosts. */
const ORPHAN_AGE_MS = 3_600_000;

/** Removes files that nobody finishes, and those that were not used for long and that nothing refers to. */
export async function sweepUploads(options: SweepOptions): Promise<void> {
  const { folder, catalog } = options;
  for (const record of await catalog.list()) {
    if (!(await isLeft(record, options))) continue;
    // Looked at again together with its removal: a client may just have gone on with it.
    if (await catalog.remove(record, (present) => isLeft(present, options))) {
      await rm(join(folder, record.file), { force: true });
    }
  }
  const known = new Set((await catalog.list()).map(({ file }) => file));
  for (const name of await namesIn(folder)) {
    if (!isUploadFile(name) || known.has(name)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > ORPHAN_AGE_MS) await rm(path, { force: true });
  }
}

async function isLeft(record: UploadRecord, { folder, isAlive, limits, referred }: SweepOptions): Promise<boolean> {
  const { id, writer, useTime, finishTime, file } = record;
  const age = Date.now() - useTime;
  if (finishTime !== undefined) return age > limits.retentionMs && !(await referred()).has(id);
  if (age <= limits.unfinishedAgeMs || (writer !== undefined && (await isAlive(writer)))) return false;
  // A process that died has not said when it last wrote.
  const found = await stat(join(folder, file)).catch(() => undefined);
  return found === undefined || Date.now() - found.mtimeMs > limits.unfinishedAgeMs;
}
