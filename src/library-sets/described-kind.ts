import { DriverError } from "../errors/driver-error.ts";
import type { KindDescriptor, Server, SourceKind } from "../sources/connector.ts";
import { httpOptions } from "../sources/http/options.ts";
import { parseOptions } from "../sources/option-values.ts";
import { checkDriverOptions, driverOptions } from "../sources/packaged/driver-options.ts";
import { shownUri } from "../sources/shown-uri.ts";

/** A kind whose connector lies in a package: what the driver can check of it is in the description of its options. */
export function describedKind(descriptor: KindDescriptor): SourceKind {
  const { kind, connectionOptions, schemes = [] } = descriptor;
  // The driver itself fetches files at URLs, and parses values.
  const fetching = connectionOptions === undefined ? httpOptions : {};
  const options = { ...descriptor.options, ...driverOptions(descriptor), ...fetching };
  return {
    ...descriptor,
    options,
    check: (given) => {
      parseOptions(kind, options, given);
      checkDriverOptions(descriptor, given);
    },
    ...(connectionOptions !== undefined && {
      checkConnection: ({ uri, options: given }: Pick<Server, "uri" | "options">) => {
        requireScheme(kind, schemes, uri);
        parseOptions(kind, connectionOptions, given);
      },
    }),
  };
}

function requireScheme(kind: string, schemes: readonly string[], uri: string): void {
  const scheme = /^((?:jdbc:)?[a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (schemes.length === 0 || (scheme !== undefined && schemes.includes(scheme))) return;
  throw new DriverError("INVALID_CONNECTION", `${JSON.stringify(shownUri(uri))} is no URL of ${kind}`, {
    metadata: { format: kind, schemes: schemes.join(", ") },
  });
}
