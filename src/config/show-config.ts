import { DriverError } from "../errors/driver-error.ts";
import { parseFlags } from "./flags.ts";
import { loadConfig } from "./load-config.ts";
import { namedSettings } from "./paths.ts";

/** `config show [--origins] [--json]`: what counts, and with `--origins` why. */
export function showConfig(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  write: (text: string) => void,
): number {
  const flags = parseFlags(args, ["origins", "json"]);
  if (flags.positionals.length !== 1 || flags.positionals[0] !== "show") {
    throw new DriverError("USAGE", "expected `config show`");
  }
  const config = loadConfig({ flags, environment });
  const withOrigins = flags.values.has("origins");
  const lines = namedSettings().map(({ key, path, setting }) => {
    const value = setting.show(
      path.reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], config.settings),
    );
    return { setting: key, value, ...(withOrigins && { origin: config.origins[key] }) };
  });
  if (flags.values.has("json")) {
    write(`${JSON.stringify({ file: config.file ?? null, settings: lines }, undefined, 2)}\n`);
    return 0;
  }
  for (const { setting, value, origin } of lines)
    write(`${setting} = ${value}${origin === undefined ? "" : `  # ${origin}`}\n`);
  return 0;
}
