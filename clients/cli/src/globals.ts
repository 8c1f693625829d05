import { readFile } from "node:fs/promises";
import {
  connect,
  type Drover,
  DroverError,
  defaultDataDirectory,
  type EnsureEvent,
  ensureDriver,
  readAddressFile,
  type TlsOptions,
} from "../../node/src/index.ts";
import { UsageError } from "./usage-error.ts";

/** The options that every command takes, after flags and environment were read. */
export interface Globals {
  readonly profile: string;
  readonly dataDir: string;
  readonly address: string | undefined;
  readonly tokenFile: string | undefined;
  readonly tlsCa: string | undefined;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tls: boolean;
  /** Whether a driver may be started where none runs. */
  readonly start: boolean;
  readonly json: boolean;
  readonly timeoutMs: number | undefined;
}

/** The options as commander gives them. */
export interface GlobalFlags {
  readonly profile?: string;
  readonly dataDir?: string;
  readonly address?: string;
  readonly tokenFile?: string;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly start?: boolean;
  readonly json?: boolean;
  readonly timeout?: number;
}

/** An empty value is an unset variable of a script rather than a wish. */
export function checkFlags(flags: GlobalFlags): void {
  for (const [name, value] of Object.entries(flags))
    if (value === "")
      throw new UsageError(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is empty`);
}

/** Flag, else environment, else default. */
export function globalsOf(flags: GlobalFlags, env: NodeJS.ProcessEnv): Globals {
  return {
    profile: flags.profile ?? (env.DROVER_PROFILE || "default"),
    dataDir: flags.dataDir ?? defaultDataDirectory(env),
    // A profile or a data directory on the command line names a driver; an address from the environment yields to it.
    address: flags.address ?? (flags.profile || flags.dataDir ? undefined : env.DROVER_ADDRESS || undefined),
    tokenFile: flags.tokenFile ?? (env.DROVER_TOKEN_FILE || undefined),
    tls: flags.tls ?? false,
    tlsCa: flags.tlsCa,
    tlsCert: flags.tlsCert,
    tlsKey: flags.tlsKey,
    start: flags.start ?? true,
    json: flags.json ?? false,
    timeoutMs: flags.timeout,
  };
}

const handshakeTimeoutMs = 10_000;

/** What a command wants of its connection. */
export interface ConnectWishes {
  /** `false`: a driver that does not run is not started. Default: the option `--no-start`. */
  readonly start?: boolean;
  readonly onEvent?: (event: EnsureEvent) => void;
}

/** Connects to the driver that the options name, starting it if need be; one that was named by its address is only called. */
export async function connectTo(globals: Globals, signal: AbortSignal, wishes: ConnectWishes = {}): Promise<Drover> {
  const tls = await tlsOf(globals);
  const { address, tokenFile, dataDir: dataDirectory, profile, timeoutMs } = globals;
  if (address !== undefined) return connectToAddress(globals, address, { signal, tls });
  const { start = globals.start, onEvent } = wishes;
  const options = { dataDirectory, profile, tls, tokenFile, start, onEvent, lease: false } as const;
  return ensureDriver(options, { signal, timeoutMs }).catch((error: unknown) => {
    throw error instanceof DroverError && error.reason === "DEADLINE_EXCEEDED" ? tooLate(error) : error;
  });
}

/** Whatever the command was to do: there was no driver in time. */
function tooLate(cause: DroverError): DroverError {
  const help = "Give it more time by --timeout; `drover logs` shows how far a start came.";
  return new DroverError({ reason: "DRIVER_NOT_FOUND", message: cause.message, code: cause.code, help, cause });
}

/** UNREACHABLE also where nothing is heard for 10 s or the time limit. */
async function connectToAddress(
  globals: Globals,
  address: string,
  { signal, tls }: { readonly signal: AbortSignal; readonly tls: TlsOptions | undefined },
): Promise<Drover> {
  const { tokenFile, timeoutMs = handshakeTimeoutMs } = globals;
  try {
    return await connect({ address, tokenFile, tls }, { signal, timeoutMs: Math.min(timeoutMs, handshakeTimeoutMs) });
  } catch (error) {
    throw error instanceof DroverError && error.reason === "DEADLINE_EXCEEDED" ? silent(error, globals) : error;
  }
}

/** Where the driver's token lies and whether TLS is spoken: as the options say, else the address file. */
export async function tokenFileOf(
  globals: Globals,
): Promise<{ readonly tokenFile: string | undefined; readonly tls: boolean }> {
  const { address, tokenFile, tls, dataDir: dataDirectory, profile } = globals;
  if (address !== undefined) return { tokenFile, tls };
  const found = await readAddressFile({ dataDirectory, profile });
  return { tokenFile: tokenFile ?? found.tokenFile, tls: found.tls };
}

/** Something took the connection and says nothing: there is no driver that could be asked. */
function silent(cause: DroverError, { address }: Globals): DroverError {
  const { code, help } = cause;
  const message = `the driver${address === undefined ? "" : ` at ${address}`} does not answer`;
  return new DroverError({ reason: "UNREACHABLE", message, code, help, retryable: true, cause });
}

export async function tlsOf({ tls, tlsCa, tlsCert, tlsKey }: Globals): Promise<TlsOptions | undefined> {
  if (!tls && tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return undefined;
  return { ca: await pem(tlsCa), cert: await pem(tlsCert), key: await pem(tlsKey) };
}

async function pem(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new UsageError(`${file} can't be read: ${(error as Error).message}`);
  }
}

/** The command that starts the driver that the options name. */
export function startCommand({ dataDir, profile }: Globals): string {
  const words = ["drover", "start"];
  if (dataDir !== defaultDataDirectory({ XDG_DATA_HOME: process.env.XDG_DATA_HOME })) words.push("--data-dir", dataDir);
  if (profile !== "default") words.push("--profile", profile);
  return words.map(shellWord).join(" ");
}

/** A word as a shell takes it. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
