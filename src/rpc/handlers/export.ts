import type { ExportEvent } from "../../gen/drover/v1/export_pb.js";
import type { ExportRequest, ExportService } from "../../queries/export/model.ts";
import type { Call } from "../call.ts";
import { fromExportEvent, toLayout } from "../mapping/exports.ts";
import { whileRead } from "../while-read.ts";

/** What both ways to ask for an export say alike. */
interface AskedExport {
  readonly layout?: Parameters<typeof toLayout>[0];
  readonly operationId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly noWait: boolean;
}

export interface ExportOptions {
  readonly exports: ExportService;
  /** The `limits.readerTimeout` setting; 0 for none. */
  readonly readerTimeoutMs: number;
}

/** Runs an export for a call: it ends with its call, with its deadline, or when nobody reads on. */
export async function* exported(
  { exports, readerTimeoutMs }: ExportOptions,
  subject: ExportRequest["subject"],
  { layout, operationId, labels, noWait }: AskedExport,
  call: Call,
): AsyncGenerator<ExportEvent, void, undefined> {
  const request = { subject, layout: toLayout(layout), labels, ...(operationId && { operationId }) };
  const who = { requestedBy: call.requestedBy, access: call.access, caller: call.turn };
  const run = (signal: AbortSignal) => exports.run(request, { ...who, wait: !noWait, signal });
  for await (const event of whileRead(run, { signal: call.signal, timeoutMs: readerTimeoutMs })) {
    if (event.type === "accepted") call.operationId = event.operationId;
    yield fromExportEvent(event);
  }
}
