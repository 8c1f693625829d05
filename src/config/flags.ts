import { DriverError } from "../errors/driver-error.ts";
import { namedSettings } from "./paths.ts";
import { suggest } from "./suggest.ts";

/** The flags of a command line by name without dashes; a flag without a value is `true`. */
export interface Flags {
  readonly values: ReadonlyMap<string, string | true>;
  readonly positionals: readonly string[];
}

/** Reads `--name value`, `--name=value` and `--name`. Throws USAGE for a flag that is no setting and not in `extra`. */
export function parseFlags(args: readonly string[], extra: readonly string[] = []): Flags {
  const named = namedSettings();
  const withoutValue = new Set(extra.filter((name) => name !== "config"));
  for (const { flag, setting } of named) if (setting.kind === "`true` or `false`") withoutValue.add(flag);
  const known = ["config", ...extra, ...named.map(({ flag }) => flag)];
  const values = new Map<string, string | true>();
  const positionals: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    if (!argument.startsWith("--")) {
      positionals.push(argument);
      continue;
    }
    const [name = "", inline] = split(argument.slice(2));
    if (!known.includes(name)) throw new DriverError("USAGE", `unknown flag --${name}${suggest(name, known)}`);
    if (inline !== undefined) values.set(name, inline);
    else if (withoutValue.has(name)) values.set(name, true);
    else {
      const value = args[++index];
      if (value === undefined) throw new DriverError("USAGE", `--${name} needs a value`);
      values.set(name, value);
    }
  }
  return { values, positionals };
}

function split(argument: string): [string, string | undefined] {
  const equals = argument.indexOf("=");
  return equals < 0 ? [argument, undefined] : [argument.slice(0, equals), argument.slice(equals + 1)];
}
