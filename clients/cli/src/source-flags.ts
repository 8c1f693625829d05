import { resolve } from "node:path";
import type { Command } from "commander";
import type { Source } from "../../node/src/index.ts";
import { parseSourceOptions } from "./grammar/assignment.ts";
import { repeatable } from "./options.ts";
import { UsageError } from "./usage-error.ts";

/** How a command names a source. */
export interface SourceFlags {
  readonly format?: string;
  readonly connection?: string;
  readonly option: readonly string[];
}

/** Adds the flags by which a command names a source. */
export function withSourceFlags(command: Command): Command {
  return command
    .option("-f, --format <FORMAT>", "csv, json, postgres, … (default: from ending or scheme)")
    .option("--connection <NAME>", "the stored connection to use, in place of a URI")
    .addOption(repeatable("-o, --option <KEY=VALUE>", "an option of the source; may be repeated"));
}

/** The source that a command names: a stored one where the text can be nothing else. */
export function sourceOf(text: string | undefined, { format, connection, option }: SourceFlags): Source {
  if ((text === undefined) === (connection === undefined))
    throw new UsageError("a source needs a URI or --connection, and not both");
  const options = parseSourceOptions(option);
  if (text === undefined) return { connection, format, options };
  return { uri: absolute(text), format, options };
}

/** The driver has another working directory than the person at the keyboard. */
function absolute(uri: string): string {
  if (uri === "") throw new UsageError("the path is empty");
  return /^[a-z][a-z0-9+.-]*:/i.test(uri) ? uri : resolve(uri);
}

/** A name, unless it looks like a path or a URL. */
export function namedOr(text: string | undefined): string | undefined {
  return text === undefined || /[/:\\*?]|^\.|\.[a-z0-9]+$/i.test(text) ? text : `source:${text}`;
}
