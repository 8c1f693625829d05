import { mergeSegments } from "./append/merge-segments.ts";
import { writeRows } from "./append/write-rows.ts";
import type { CallHandlers } from "./call-context.ts";

/** The calls of appends, each whole in itself. */
export const appendCalls: CallHandlers<"writeRows" | "mergeSegments"> = {
  writeRows: async (task, { signal, engine }) => writeRows(task, { signal, engine: await engine(task.threads) }),
  mergeSegments: async (task, { signal, engine }) =>
    mergeSegments(task, { signal, engine: await engine(task.threads) }),
};
