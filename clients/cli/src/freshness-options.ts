import { type Command, Option } from "commander";
import { parseAge } from "./grammar/duration.ts";

/** How old an answer may be. */
export interface FreshnessFlags {
  readonly maxAge?: number;
  readonly allowStale?: boolean;
}

/** Adds the options that say how old an answer may be to a command. */
export function addFreshnessOptions(command: Command): Command {
  return command
    .addOption(new Option("--max-age <TIME>", "refresh first what is older: 0, 30s, 5m, 12h").argParser(parseAge))
    .option("--allow-stale", "with --max-age: answer from what is there while the refresh runs");
}

export function freshnessOf({ maxAge, allowStale }: FreshnessFlags) {
  return { maxAgeMs: maxAge, allowStale };
}
