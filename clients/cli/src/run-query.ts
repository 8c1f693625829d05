import type { Frame, Query, QueryBatchEvent, QueryEvent, QuerySummary } from "../../node/src/index.ts";
import type { Context } from "./context.ts";
import { ProgressBar } from "./render/progress-bar.ts";
import { ResultWriter, resultTable } from "./render/result.ts";
import { bytesText, durationText, plural } from "./render/units.ts";

const queryBarQuietMs = 500;

/** How an answer is shown. */
export interface AnswerOptions {
  /** By batch, for results of any size. */
  readonly stream?: boolean | undefined;
  /** Floats with all their digits. */
  readonly full?: boolean | undefined;
  /** The column that has bars. */
  readonly barColumn?: string | undefined;
}

/** Runs a query and shows its answer. An interrupt cancels it on the driver. */
export async function answer(context: Context, query: Query, cancel: Cancel, options: AnswerOptions): Promise<void> {
  await context.interrupts.guard(
    (signal) => cancel(query.operationId, signal),
    async () => {
      if (context.globals.json) await (options.stream ? jsonBatches(context, query) : jsonFrames(context, query));
      else await (options.stream ? tableBatches(context, query, options) : tableWhole(context, query, options));
    },
  );
}

type Cancel = (operationId: string, signal: AbortSignal) => Promise<unknown>;

async function jsonFrames({ output }: Context, query: Query): Promise<void> {
  for await (const event of query) {
    if (event.type !== "frame") await commonEvent(output, event);
    else {
      const { id, exact, columns, values } = event.frame;
      await output.event({ event: "frame", frame: id, exact, columns, rows: values });
    }
  }
}

async function jsonBatches({ output }: Context, query: Query): Promise<void> {
  for await (const event of query.stream()) {
    if (event.type === "frameStart") {
      const { frameId, exact, columns } = event;
      await output.event({ event: "frame_start", frame: frameId, exact, columns });
    } else if (event.type === "batch") {
      await output.event({ event: "frame_batch", frame: event.frameId, rows: event.batch.values });
    } else if (event.type === "frameEnd") {
      await output.event({ event: "frame_end", frame: event.frameId, rows: event.rows });
    } else await commonEvent(output, event);
  }
}

type CommonEvent = Extract<QueryEvent & QueryBatchEvent, { type: "accepted" | "progress" | "completed" }>;

async function commonEvent(output: Context["output"], event: CommonEvent): Promise<void> {
  if (event.type === "accepted") await output.event({ event: "accepted", operation: event.operationId });
  else if (event.type === "progress") await output.event({ event: "progress", ...event.progress });
  else await output.event({ event: "completed", ...event.summary });
}

async function tableWhole(context: Context, query: Query, options: AnswerOptions): Promise<void> {
  const { output } = context;
  const bar = new ProgressBar(output.stderr, "query", queryBarQuietMs);
  let frame: Frame | undefined;
  try {
    for await (const event of query) {
      if (event.type === "progress") bar.update(event.progress);
      else if (event.type === "frame") frame = event.frame;
    }
  } finally {
    bar.clear();
  }
  if (frame === undefined) return;
  const { style, columns: lineWidth } = output;
  const layout = { style, full: options.full ?? false, lineWidth, barColumn: options.barColumn };
  await output.write(resultTable(frame, layout));
  footer(context, query.summary);
}

async function tableBatches(context: Context, query: Query, options: AnswerOptions): Promise<void> {
  const { output } = context;
  const layout = { style: output.style, full: options.full ?? false };
  let writer: ResultWriter | undefined;
  for await (const event of query.stream()) {
    if (event.type === "frameStart" && event.exact) writer = new ResultWriter(event.columns, layout);
    else if (event.type === "batch" && writer !== undefined) await output.write(writer.write(event.batch.values));
  }
  footer(context, query.summary);
}

/** What it took, below a table that a person reads. */
function footer({ output }: Context, summary: QuerySummary | undefined): void {
  if (!output.isTty || summary === undefined) return;
  const { queuedMs, plannedMs, executedMs, encodedMs } = summary.timings;
  const took = durationText(queuedMs + plannedMs + executedMs + encodedMs);
  const scanned = `${plural(summary.rowsScanned, "row")} (${bytesText(summary.bytesScanned)}) scanned`;
  output.note(output.errorStyle.dim(`${plural(summary.rows, "row")} in ${took}; ${scanned}`));
}
