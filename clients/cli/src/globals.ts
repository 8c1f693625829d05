import { readFile } from "node:fs/promises";
import {
  connect,
  connectByAddressFile,
  type Drover,
  DroverError,
  defaultDataDirectory,
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
    json: flags.json ?? false,
    timeoutMs: flags.timeout,
  };
}

const handshakeTimeoutMs = 10_000;

/** Connects to the driver that the options name. UNREACHABLE also where nothing is heard for 10 s or the time limit. */
export async function connectTo(globals: Globals, signal: AbortSignal): Promise<Drover> {
  const tls = await tlsOf(globals);
  const { address, tokenFile, dataDir: dataDirectory, profile, timeoutMs } = globals;
  const call = { signal, timeoutMs: Math.min(timeoutMs ?? handshakeTimeoutMs, handshakeTimeoutMs) };
  try {
    if (address !== undefined) return await connect({ address, tokenFile, tls }, call);
    return await connectByAddressFile({ dataDirectory, profile, tls, tokenFile }, call);
  } catch (error) {
    throw error instanceof DroverError && error.reason === "DEADLINE_EXCEEDED" ? silent(error, globals) : error;
  }
}

/** Something took the connection and says nothing: there is no driver that could be asked. */
function silent(cause: DroverError, { address }: Globals): DroverError {
  const { code, help } = cause;
  const message = `the driver${address === undefined ? "" : ` at ${address}`} does not answer`;
  return new DroverError({ reason: "UNREACHABLE", message, code, help, retryable: true, cause });
}

async function tlsOf({ tls, tlsCa, tlsCert, tlsKey }: Globals): Promise<TlsOptions | undefined> {
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
  const words = ["drover", "serve"];
  if (dataDir !== defaultDataDirectory({ XDG_DATA_HOME: process.env.XDG_DATA_HOME })) words.push("--data-dir", dataDir);
  if (profile !== "default") words.push("--profile", profile);
  return words.map(shellWord).join(" ");
}

/** A word as a shell takes it. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
