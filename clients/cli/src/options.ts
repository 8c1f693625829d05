import { Option } from "commander";
import { parseCount } from "./grammar/duration.ts";
import { suggestion } from "./grammar/suggest.ts";
import { UsageError } from "./usage-error.ts";

/** Gathers an option that may be given several times, each time with one of `choices` if there are any. */
export function repeatable(flags: string, description: string, choices?: readonly string[]): Option {
  return new Option(flags, description)
    .argParser((value: string, before: readonly string[] | undefined) => {
      if (choices !== undefined && !choices.includes(value))
        throw new UsageError(`"${value}" is not known${suggestion(value, choices)}`);
      return [...(before ?? []), value];
    })
    .default([]);
}

/** An option whose value is a whole number. */
export function counted(flags: string, description: string, least = 0): Option {
  return new Option(flags, description).argParser((value: string) => parseCount(value, least));
}
