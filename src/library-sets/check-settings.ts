import { suggest } from "../config/suggest.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { SourceKind } from "../sources/connector.ts";
import { parseOptions } from "../sources/option-values.ts";
import type { OptionSchema } from "../sources/options.ts";
import { driverOptions } from "../sources/packaged/driver-options.ts";
import { type KindSettings, kindsOf, type LibrarySetManifest } from "./model.ts";

/**
 * Throws INVALID_LIBRARY_SET where settings are for a kind that the set does not serve, for an option that the kind does not have, or no
 * value for it.
 */
export function checkSettings(
  settings: KindSettings,
  manifest: Pick<LibrarySetManifest, "connectors" | "packages">,
  builtIn: readonly SourceKind[],
): void {
  const served = kindsOf(manifest);
  for (const [kind, options] of Object.entries(settings)) {
    const schema = served.includes(kind) ? schemaOf(kind, manifest, builtIn) : undefined;
    if (schema === undefined)
      throw invalid(`a setting is for the kind "${kind}", which the set does not serve${suggest(kind, served)}`, {
        kind,
      });
    try {
      parseOptions(kind, schema, options);
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      throw invalid(`a setting for the kind "${kind}": ${error.message}`, { kind, ...error.metadata });
    }
  }
}

/** What a kind takes of source and connection. */
function schemaOf(
  kind: string,
  { connectors }: Pick<LibrarySetManifest, "connectors">,
  builtIn: readonly SourceKind[],
): OptionSchema | undefined {
  const packaged = connectors.find((each) => each.kind === kind)?.descriptor;
  if (packaged !== undefined) return { ...packaged.connectionOptions, ...packaged.options, ...driverOptions(packaged) };
  const own = builtIn.find((each) => each.kind === kind);
  return own && { ...own.connectionOptions, ...own.options };
}

function invalid(message: string, metadata: Readonly<Record<string, string>>): DriverError {
  return new DriverError("INVALID_LIBRARY_SET", message, { metadata });
}
