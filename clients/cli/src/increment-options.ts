import { type Command, Option } from "commander";
import type { Increment } from "../../node/src/index.ts";
import { parseDuration } from "./grammar/duration.ts";
import { repeatable } from "./options.ts";
import { UsageError } from "./usage-error.ts";

/** What says how refreshes tell what is new. */
export interface IncrementFlags {
  readonly watermark?: string;
  readonly overlap?: string;
  readonly key: readonly string[];
}

/** Adds the options of a rule for increments to a command. */
export function addIncrementOptions(command: Command): Command {
  return command
    .addOption(new Option("--watermark <COL>", "refreshes read only rows from this column's greatest value on"))
    .addOption(new Option("--overlap <TIME|NUMBER>", "and those so far before it: 10m for times, 1000 for numbers"))
    .addOption(repeatable("--key <COL>", "rows with the same key replace old ones; may be repeated"));
}

export function incrementOf({ watermark, overlap, key }: IncrementFlags): Increment | undefined {
  if (watermark === undefined) {
    if (overlap !== undefined || key.length > 0) throw new UsageError("--overlap and --key go with --watermark");
    return undefined;
  }
  const isNumber = overlap !== undefined && /^\d+(\.\d+)?$/.test(overlap);
  return {
    watermark,
    keys: key,
    ...(isNumber && { overlapAmount: Number(overlap) }),
    ...(overlap !== undefined && !isNumber && { overlapMs: parseDuration(overlap) }),
  };
}
