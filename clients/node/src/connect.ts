import { readFile } from "node:fs/promises";
import { ChannelCredentials, Client, type ClientOptions } from "@grpc/grpc-js";
import { type AddressFileLocation, readAddressFile } from "./address-file.ts";
import { checkAddress, isToken } from "./checks.ts";
import { Drover } from "./client.ts";
import { clientError } from "./errors.ts";
import { type CallOptions, Transport } from "./transport.ts";

/** How TLS is spoken; PEM texts. */
export interface TlsOptions {
  /** Certificates to trust in place of the system's. */
  readonly ca?: string | Uint8Array | undefined;
  /** This client's certificate chain, where the driver asks for one. */
  readonly cert?: string | Uint8Array | undefined;
  /** Its private key. */
  readonly key?: string | Uint8Array | undefined;
  /** The name to look for in the driver's certificate. Default: the host of the address. */
  readonly serverName?: string | undefined;
}

/** How a connection behaves. */
export interface ConnectionOptions {
  /** Default: no TLS; `{}` trusts the system's certificates. */
  readonly tls?: TlsOptions | undefined;
  /** Milliseconds between pings while a call is open, so that a dead peer is noticed. Default: 20 s. */
  readonly keepaliveMs?: number | undefined;
  /** The largest message taken. Batches have 1 MiB unless a single row is larger. Default: 64 MiB. */
  readonly maxMessageBytes?: number | undefined;
}

/** Where a driver is. */
export interface ConnectOptions extends ConnectionOptions {
  /** `host:port`. */
  readonly address: string;
  readonly token?: string | undefined;
  /** A file that holds the token. */
  readonly tokenFile?: string | undefined;
}

const apiVersion = "drover.v1";
const handshakeTimeoutMs = 10_000;
const keepaliveTimeoutMs = 10_000;

/**
 * Connects to a driver and shakes hands. Throws UNREACHABLE, UNAUTHENTICATED, UNREADABLE_TOKEN, INCOMPATIBLE_DRIVER, or
 * DEADLINE_EXCEEDED after `timeoutMs` (default 10 s).
 */
export async function connect(options: ConnectOptions, call: CallOptions = {}): Promise<Drover> {
  checkAddress(options.address);
  const token = await readToken(options);
  const client = new Client(options.address, credentialsOf(options.tls), channelOptions(options));
  const drover = new Drover(new Transport(client, options.address, token), options.address);
  try {
    const driver = await drover.driver({ ...call, timeoutMs: call.timeoutMs ?? handshakeTimeoutMs });
    if (driver.apiVersion === apiVersion) return drover;
    throw clientError(
      "INCOMPATIBLE_DRIVER",
      `the driver at ${options.address} (version ${driver.version}) speaks ${driver.apiVersion}, this client ${apiVersion}`,
    );
  } catch (error) {
    await drover.close();
    throw error;
  }
}

/** Connects to the driver that `drover serve` runs for a profile. Throws DRIVER_NOT_FOUND if there is none. */
export async function connectByAddressFile(
  options: AddressFileLocation & ConnectionOptions & Pick<ConnectOptions, "token" | "tokenFile"> = {},
  call: CallOptions = {},
): Promise<Drover> {
  const found = await readAddressFile(options);
  const { address } = found;
  const tokenFile = options.tokenFile ?? found.tokenFile;
  return connect({ ...options, address, tokenFile, tls: found.tls ? (options.tls ?? {}) : undefined }, call);
}

async function readToken({ token, tokenFile }: ConnectOptions): Promise<string | undefined> {
  if (token !== undefined) {
    if (isToken(token)) return token;
    throw clientError("INVALID_ARGUMENT", "the token is empty or holds characters that no token has");
  }
  if (tokenFile === undefined) return undefined;
  const metadata = { file: tokenFile };
  let text: string;
  try {
    text = (await readFile(tokenFile, "utf8")).trim();
  } catch (cause) {
    const message = `the token file ${tokenFile} can't be read: ${(cause as Error).message}`;
    throw clientError("UNREADABLE_TOKEN", message, { cause, metadata });
  }
  // What is in such a file may be a secret of another kind: it is neither sent nor shown.
  if (isToken(text)) return text;
  throw clientError("UNREADABLE_TOKEN", `the file ${tokenFile} holds no token`, { metadata });
}

function credentialsOf(tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}

function pem(value: string | Uint8Array | undefined): Buffer | null {
  return value === undefined ? null : Buffer.from(value as Uint8Array);
}

function channelOptions(options: ConnectOptions): ClientOptions {
  const serverName = options.tls?.serverName;
  return {
    "grpc.keepalive_time_ms": options.keepaliveMs ?? 20_000,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    "grpc.max_receive_message_length": options.maxMessageBytes ?? 64 * 2 ** 20,
    // Proxies of the environment are for the web, not for a driver that is named by its address.
    "grpc.enable_http_proxy": 0,
    // A client of its own has its own connection: closing it must not depend on others of the process.
    "grpc.use_local_subchannel_pool": 1,
    ...(serverName === undefined ? {} : { "grpc.ssl_target_name_override": serverName }),
  };
}
