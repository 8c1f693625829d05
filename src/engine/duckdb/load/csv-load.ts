import { DriverError } from "../../../errors/driver-error.ts";
import type { WriteOptions } from "../../engine.ts";
import type { RejectedRow, WrittenSegments } from "../../file-scan.ts";
import type { Connection } from "../connection.ts";
import { diagnose } from "./csv-diagnosis.ts";
import { requireShortLines } from "./csv-long-lines.ts";
import { withLine } from "./csv-places.ts";
import { type Rejected, RejectedRows } from "./csv-rejects.ts";
import { CONTRADICTION, type KnownScan, keptColumns, loadSelect, needsSingleThread } from "./csv-scan.ts";
import { Verification } from "./csv-verification.ts";
import { engineError } from "./engine-error.ts";
import { exactMisfit } from "./exact-misfit.ts";
import { writeSelect } from "./write-segments.ts";

/** Loads delimited text whose columns are known, in one pass over the files. */
export async function writeCsv(
  connection: Connection,
  scan: KnownScan,
  options: WriteOptions & { readonly memoryLimitBytes: number },
): Promise<WrittenSegments> {
  await requireShortLines(scan, options.signal);
  await using verification = Verification.start(scan, options.signal);
  // A value that contradicts its column stops the writing at once, but not the verification, which finds all such columns.
  const signal = AbortSignal.any([options.signal, verification.contradicted]);
  try {
    const written = await writeAndCount(connection, scan, { ...options, signal }, verification.native);
    if ((await verification.result()).length === 0) return written;
  } catch (error) {
    options.signal.throwIfAborted();
    if (!verification.contradicted.aborted && !contradicts(error))
      throw await withLine(connection, scan, engineError(error, scan), options.signal);
  }
  throw await diagnosis(connection, scan, options, verification);
}

/** Why a column's type does not hold; or what else is wrong with the files, where the diagnosis meets it first. */
async function diagnosis(
  connection: Connection,
  scan: KnownScan,
  options: WriteOptions,
  verification: Verification,
): Promise<DriverError> {
  try {
    const misfit = await exactMisfit(connection, scan, options.signal);
    if (misfit) return misfit;
    return await diagnose(connection, scan, options, await verification.result());
  } catch (error) {
    options.signal.throwIfAborted();
    return withLine(connection, scan, engineError(error, scan), options.signal);
  }
}

async function writeAndCount(
  connection: Connection,
  scan: KnownScan,
  options: WriteOptions & { readonly memoryLimitBytes: number },
  native: ReadonlySet<number>,
): Promise<WrittenSegments> {
  const rejects =
    scan.badRows.policy === "skip" ? new RejectedRows(connection, scan, scan.badRows.maxBadRows) : undefined;
  // Rows whose declared types don't fit are counted before anything is written: a COPY can't count what its filter drops.
  const typed = (await rejects?.countTyped(options.signal)) ?? 0;
  const singleThread = needsSingleThread(scan, options.memoryLimitBytes);
  const skipBadRows = rejects !== undefined;
  const select = loadSelect(scan, { skipBadRows, native, singleThread, ...rejects?.readMode("load") });
  const size = { totalBytes: scan.totalBytes, rowBytes: scan.rowBytes ?? 0, columns: keptColumns(scan).length };
  const written = await writeSelect(connection, select, size, options);
  const rejected: Rejected = (await rejects?.collect("load", typed, options.signal)) ?? NONE;
  const sourceBytes = scan.origins.reduce((total, { bytes }) => total + bytes, 0);
  return { ...written, sourceBytes, rejectedRows: rejected.rows, rejectedSamples: rejected.samples };
}

const NONE: { rows: number; samples: readonly RejectedRow[] } = { rows: 0, samples: [] };

function contradicts(error: unknown): boolean {
  if (error instanceof DriverError || !(error instanceof Error)) return false;
  return error.message.includes(CONTRADICTION) || /^(Conversion|Out of Range) Error/.test(error.message);
}
