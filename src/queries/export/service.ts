import type { DatasetStore } from "../../datasets/model.ts";
import type { ReadEngine } from "../../engine/engine.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { JsonObject, Operations } from "../../operations/model.ts";
import type { Pool } from "../../scheduling/model.ts";
import { type LoadFinder, LoadWaits } from "../await-load.ts";
import { EventStream } from "../event-stream.ts";
import type { FreshDatasets } from "../make-fresh.ts";
import { configurationOf } from "../run-query.ts";
import type { CallOptions } from "../service.ts";
import { checkLayout } from "./layout.ts";
import type { ExportEvent, ExportRequest, ExportService } from "./model.ts";
import { Export } from "./run-export.ts";

export interface ExportServiceParts {
  readonly engine: ReadEngine;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  /** The readers' pool. */
  readonly pool: Pool;
  /** Left out: nothing is waited for. */
  readonly loads?: LoadFinder;
  /** Left out: every version is young enough. */
  readonly fresh?: FreshDatasets;
  /** A folder that the engine may write, for files that are removed once they are sent. */
  readonly directory: string;
  /** Aborts its signal when the disk is about to be full. */
  watchSpace(signal: AbortSignal): Disposable & { readonly signal: AbortSignal };
}

export interface ExportParts extends ExportServiceParts {
  readonly waits: LoadWaits;
}

export function createExportService(given: ExportServiceParts): ExportService {
  const waits = new LoadWaits(given.loads, { maxWaiting: given.pool.status().maxQueued });
  const parts: ExportParts = { ...given, waits };
  return { run: (request, options) => runExport(parts, request, options) };
}

async function* runExport(
  parts: ExportParts,
  request: ExportRequest,
  options: CallOptions,
): AsyncGenerator<ExportEvent, void, undefined> {
  const compression = checkLayout(request.layout);
  const { subject, operationId, labels } = request;
  const left = new AbortController();
  const stream = new EventStream<ExportEvent>();
  const { id, done } = parts.operations.run(
    {
      ...(operationId !== undefined && { id: operationId }),
      kind: "export",
      dataset: datasetOf(request),
      requestedBy: options.requestedBy,
      whose: options.access,
      labels,
      configuration: { ...asked(subject), layout: request.layout },
    },
    (handle) => new Export(parts, request, compression, options, handle, stream).run(),
    { signal: AbortSignal.any([options.signal, left.signal]) },
  );
  // Whatever the end is, the reader wakes; the reason is taken from `done` itself.
  const settled = done.then(
    () => stream.end(),
    () => stream.end(),
  );
  try {
    yield { type: "accepted", operationId: id };
    yield* stream.events();
    yield { type: "completed", completion: await done };
  } finally {
    left.abort(new DriverError("CANCELLED", "the reader of the export left"));
    await settled;
  }
}

function datasetOf({ subject }: ExportRequest): string {
  if (subject.kind === "dataset") return subject.dataset;
  return subject.question.kind === "aggregate" ? subject.question.query.dataset : "";
}

function asked(subject: ExportRequest["subject"]): JsonObject {
  if (subject.kind === "question") return configurationOf(subject.question);
  const { version, columns, filter, limit } = subject;
  return {
    ...(version > 0 && { version }),
    ...(columns.length > 0 && { columns }),
    ...(filter && { filter }),
    ...(limit > 0 && { limit }),
  };
}
