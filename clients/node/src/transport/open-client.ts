import { ChannelCredentials, Client, type ClientOptions } from "@grpc/grpc-js";

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
  /**
   * Milliseconds of silence after which the connection is pinged, whether a call is open or not; a ping that is not answered
   * within 5 s ends it. Default: 5 s.
   */
  readonly keepaliveMs?: number | undefined;
  /** The largest message taken. Batches have 1 MiB unless a single row is larger. Default: 64 MiB. */
  readonly maxMessageBytes?: number | undefined;
}

const keepaliveTimeoutMs = 5_000;

/** Opens a connection, which is made when it is first used. */
export function openClient(address: string, options: ConnectionOptions): Client {
  return new Client(address, credentialsOf(options.tls), channelOptions(options));
}

function credentialsOf(tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}

function pem(value: string | Uint8Array | undefined): Buffer | null {
  return value === undefined ? null : Buffer.from(value as Uint8Array);
}

function channelOptions(options: ConnectionOptions): ClientOptions {
  const serverName = options.tls?.serverName;
  return {
    "grpc.keepalive_time_ms": options.keepaliveMs ?? 5_000,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.max_receive_message_length": options.maxMessageBytes ?? 64 * 2 ** 20,
    // Proxies of the environment are for the web, not for a driver that is named by its address.
    "grpc.enable_http_proxy": 0,
    // A client of its own has its own connection: closing it must not depend on others of the process.
    "grpc.use_local_subchannel_pool": 1,
    ...(serverName === undefined ? {} : { "grpc.ssl_target_name_override": serverName }),
  };
}
