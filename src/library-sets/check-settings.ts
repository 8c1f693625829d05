import { suggest } from "../config/suggest.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { KindDescriptor, SourceKind } from "../sources/connector.ts";
import { type KindSettings, kindsOf, type LibrarySetManifest } from "./model.ts";

/**
 * Throws INVALID_LIBRARY_SET where settings are for a kind that the set does not serve, or for an option that the kind does not
 * have.
 */
export function checkSettings(
  settings: KindSettings,
  manifest: Pick<LibrarySetManifest, "connectors" | "packages">,
  builtIn: readonly SourceKind[],
): void {
  const served = kindsOf(manifest);
  for (const [kind, options] of Object.entries(settings)) {
    const descriptor = served.includes(kind) ? descriptorOf(kind, manifest, builtIn) : undefined;
    if (descriptor === undefined)
      throw invalid(`a setting is for the kind "${kind}", which the set does not serve${suggest(kind, served)}`, {
        kind,
      });
    const known = Object.keys({ ...descriptor.options, ...descriptor.connectionOptions });
    for (const option of Object.keys(options))
      if (!known.includes(option))
        throw invalid(`the kind "${kind}" has no option "${option}"${suggest(option, known)}`, { kind, option });
  }
}

function descriptorOf(
  kind: string,
  { connectors }: Pick<LibrarySetManifest, "connectors">,
  builtIn: readonly SourceKind[],
): KindDescriptor | undefined {
  return connectors.find((each) => each.kind === kind)?.descriptor ?? builtIn.find((each) => each.kind === kind);
}

function invalid(message: string, metadata: Readonly<Record<string, string>>): DriverError {
  return new DriverError("INVALID_LIBRARY_SET", message, { metadata });
}
