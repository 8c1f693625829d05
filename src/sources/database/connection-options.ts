import type { Source } from "../connector.ts";
import type { OptionValues } from "../option-values.ts";
import { invalidOption } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";

/** How much a connection asks of TLS, weakest first. */
export const TLS_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type TlsMode = (typeof TLS_MODES)[number];

const DEFAULT_CONNECT_TIMEOUT_SECONDS = 10;

/** What a connection to any kind of database can be told. The password is no option: it is a reference of its own. */
export const connectionOptions = {
  user: {
    type: "string",
    doc: "The login's name.",
    default: "the one in the URL",
    example: "reporting",
  },
  tls: {
    type: "string",
    doc: "What is asked of TLS: `disable` never, `prefer` where the server has it, `require` always, but without a `tlsCaFile` with any certificate, `verify-ca` with one that the CA has signed, `verify-full` with one for this host as well.",
    default: "prefer; verify-full with a `tlsCaFile`",
    choices: TLS_MODES,
  },
  tlsCaFile: {
    type: "string",
    doc: "A PEM file on the driver's machine with the certificates that the server's must be signed by.",
    default: "those that Node trusts",
    example: "/etc/drover/db-ca.pem",
  },
  tlsCertFile: {
    type: "string",
    doc: "A PEM file with the client's certificate, where the server asks for one.",
    default: "none",
  },
  tlsKeyFile: {
    type: "string",
    doc: "A PEM file with the client certificate's key; it must not be readable by others.",
    default: "none",
  },
  connectTimeout: {
    type: "integer",
    doc: "Seconds to wait for the server when connecting.",
    default: String(DEFAULT_CONNECT_TIMEOUT_SECONDS),
  },
} as const satisfies OptionSchema;

/** What is asked of TLS, after its check. */
export interface TlsSettings {
  readonly mode: TlsMode;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** Throws INVALID_OPTION where the options contradict each other. */
export function tlsSettingsOf(values: OptionValues): TlsSettings {
  const caFile = values.text("tlsCaFile");
  const certFile = values.text("tlsCertFile");
  const keyFile = values.text("tlsKeyFile");
  const given = values.text("tls") as TlsMode | undefined;
  const asked = given ?? (caFile === undefined ? "prefer" : "verify-full");
  // As everywhere with a root certificate: whoever names an authority wants it to count.
  const mode = asked === "require" && caFile !== undefined ? "verify-ca" : asked;
  if (mode === "prefer" && caFile !== undefined)
    throw invalidOption("tls", mode, "of use together with tlsCaFile: nothing would be verified");
  if ((certFile === undefined) !== (keyFile === undefined))
    throw invalidOption(certFile === undefined ? "tlsCertFile" : "tlsKeyFile", "", "given together with the other one");
  if (mode === "disable" && (caFile ?? certFile) !== undefined)
    throw invalidOption("tls", mode, "of use together with certificates");
  return { mode, caFile, certFile, keyFile };
}

/** The same with the files where this process finds them. */
export function handedTls(
  settings: TlsSettings,
  { handed }: { readonly handed?: Source["handed"] | undefined },
): TlsSettings {
  const { mode, caFile, certFile, keyFile } = settings;
  const found = (path: string | undefined) => (path === undefined ? undefined : (handed?.paths[path] ?? path));
  return { mode, caFile: found(caFile), certFile: found(certFile), keyFile: found(keyFile) };
}

export function connectTimeoutMsOf(values: OptionValues): number {
  const seconds = values.integer("connectTimeout") ?? DEFAULT_CONNECT_TIMEOUT_SECONDS;
  if (seconds < 1 || seconds > 3_600) throw invalidOption("connectTimeout", seconds, "from 1 to 3600 seconds");
  return seconds * 1_000;
}
