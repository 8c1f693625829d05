import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeOwnFolder } from "../../config/own-folder.ts";
import type { FileScan } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { PartitionContent } from "../../sources/connector.ts";
import { encodeBatch } from "../../sources/exchange/encode-batch.ts";
import { ShownNames } from "../../sources/shown-names.ts";
import { type CallContext, sourceContext } from "./call-context.ts";
import { exchangeNames, exchangeScan } from "./exchange-scan.ts";
import { firstRecords } from "./first-records.ts";
import type { PreviewRequest, SourcePreview } from "./protocol.ts";

/** Enough for the types that a load would infer; of a file that still arrives, what there is for certain. */
const BEGINNING_BYTES = 1024 * 1024;
const ARRIVING_BYTES = 64 * 1024;

/** Reads the first rows of a source, with the code that loads it. */
export async function previewSource({ source, rows }: PreviewRequest, context: CallContext): Promise<SourcePreview> {
  const connector = await context.libraries.connector(source.kind);
  const directory = await makeOwnFolder(context.temporaryDirectory, "preview-");
  try {
    // One more tells whether there are more.
    const limited = { ...source, limit: Math.min(source.limit ?? Number.POSITIVE_INFINITY, rows + 1) };
    const beginningBytes = source.arriving ? ARRIVING_BYTES : BEGINNING_BYTES;
    await using session = await connector.open(limited, { ...sourceContext(context, directory), beginningBytes });
    const plan = await session.plan({ maxPartitions: 1, preview: true });
    const [partition] = plan.partitions;
    const engine = await context.engine();
    const content = partition && (await session.read(partition));
    const scan = content?.form === "files" ? content.scan : await spooled(content, plan.columns, rows, directory);
    const names = content?.form === "files" ? new ShownNames(scan) : exchangeNames(scan.paths);
    try {
      const preview = await engine.preview(scan, { signal: context.signal, rows, directory });
      const warnings = [...plan.warnings, ...preview.warnings].map((warning) => names.text(warning));
      return {
        ...preview,
        complete: preview.complete && plan.partitions.length <= 1,
        warnings,
        recordPaths: plan.recordPaths ?? [],
      };
    } catch (error) {
      throw names.error(error);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The first records of text or values, as a file. */
async function spooled(
  content: Exclude<PartitionContent, { readonly form: "files" }> | undefined,
  columns: FileScan["columns"],
  rows: number,
  directory: string,
): Promise<FileScan> {
  if (columns === undefined) throw new DriverError("INTERNAL", "a connector gave rows without naming their columns");
  if (content === undefined) return exchangeScan(columns, undefined, 0);
  const bytes = await firstRecords(content.form === "text" ? content.chunks : encoded(content.batches), rows + 1);
  const path = join(directory, "beginning.csv");
  await writeFile(path, bytes, { mode: 0o600 });
  return exchangeScan(columns, bytes.length === 0 ? undefined : path, bytes.length);
}

async function* encoded(
  batches: Extract<PartitionContent, { readonly form: "batches" }>["batches"],
): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) yield encodeBatch(batch);
}
