import type { OperationProgress } from "./model.ts";

/** What the work reports; what is left out stays as it was. */
export interface ProgressReport {
  readonly fraction?: number | undefined;
  readonly rows?: number;
  readonly bytes?: number;
  readonly totalBytes?: number;
  readonly phase?: string;
}

export const noProgress: OperationProgress = {
  fraction: undefined,
  rows: 0,
  bytes: 0,
  totalBytes: 0,
  rowsPerSecond: 0,
  bytesPerSecond: 0,
  phase: "",
};

/** The progress after a report: no value ever goes back, whatever the work says; rates are averages since the start. */
export function advance(last: OperationProgress, report: ProgressReport, elapsedMs: number): OperationProgress {
  const rows = higher(last.rows, report.rows);
  const bytes = higher(last.bytes, report.bytes);
  const seconds = elapsedMs / 1000;
  return {
    fraction: higherFraction(last.fraction, report.fraction),
    rows,
    bytes,
    totalBytes: higher(last.totalBytes, report.totalBytes),
    rowsPerSecond: seconds > 0 ? rows / seconds : last.rowsPerSecond,
    bytesPerSecond: seconds > 0 ? bytes / seconds : last.bytesPerSecond,
    phase: report.phase ?? last.phase,
  };
}

function higher(last: number, next: number | undefined): number {
  return next !== undefined && next > last && Number.isFinite(next) ? next : last;
}

function higherFraction(last: number | undefined, next: number | undefined): number | undefined {
  if (next === undefined || Number.isNaN(next)) return last;
  return Math.max(last ?? 0, Math.min(1, next));
}
