import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { DriverError } from "../errors/driver-error.ts";
import type { TlsContext } from "./tls.ts";

/** How long a connection may take to say its first bytes. */
const FIRST_BYTES_TIMEOUT_MS = 30_000;
/**
 * When the system begins to ask a silent connection's other end whether it lives; libuv asks each second then and gives up after
 * ten. HTTP/1.1 has nothing of its own for that.
 */
const TCP_KEEPALIVE = { keepAlive: true, keepAliveInitialDelay: 5_000 };
/** The first bytes of every HTTP/2 connection, and of no HTTP/1.1 request. */
const HTTP2_PREFACE = Buffer.from("PRI ");

/** Where to listen: an address, whose port 0 takes a free one, or the descriptor of a socket that listens already. */
export type Listen = { readonly host: string; readonly port: number } | { readonly descriptor: number };

export interface PortOptions {
  readonly listen: Listen;
  /** Called with the address that was bound, before the first connection is looked at; it may throw. */
  readonly accept: (host: string) => void;
  readonly tls: TlsContext | undefined;
  readonly maxConnections: number;
  readonly onHttp2: (connection: Duplex) => void;
  readonly onHttp1: (connection: Duplex) => void;
}

/** One listening port: hands each connection to the stack that its first bytes, or its ALPN protocol, ask for. */
export class Port {
  readonly #options: PortOptions;
  readonly #server: Server | TlsServer;
  readonly #sockets = new Set<Socket>();
  /** Kept, because a server that no longer listens does not know it any more. */
  #bound: AddressInfo | undefined;

  constructor(options: PortOptions) {
    this.#options = options;
    this.#server = options.tls ? createSecure(options, options.tls) : createPlain(options);
    this.#server.maxConnections = options.maxConnections;
    this.#server.on("connection", (socket: Socket) => this.#track(socket));
  }

  /** Binds. Throws LISTEN_FAILED, or what `accept` throws. */
  async listen(): Promise<void> {
    this.#bound = await listen(this.#server, this.#options.listen);
    try {
      this.#options.accept(this.host);
    } catch (error) {
      this.#server.close();
      throw error;
    }
  }

  /** The address that was bound. */
  get host(): string {
    return this.#address.address;
  }

  /** `host:port` as clients of this host dial it; IPv6 in brackets. */
  get address(): string {
    const { address, port } = this.#address;
    // "Every address" can't be dialled.
    const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Takes no more connections; those that are open stay. */
  stopListening(): void {
    this.#server.close();
  }

  /** Waits until the connections have ended by themselves, which sends what is still to be sent; then ends the rest. */
  async close({ graceMs }: { readonly graceMs: number }): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    const timer = new AbortController();
    await Promise.race([closed, delay(graceMs, undefined, timer).catch(() => {})]);
    timer.abort();
    for (const socket of this.#sockets) socket.destroy();
  }

  get #address(): AddressInfo {
    if (this.#bound === undefined) throw new Error("the port is not bound");
    return this.#bound;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // A client that resets its connection is no event: the calls on it learn it by their own streams.
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

async function listen(server: Server | TlsServer, where: Listen): Promise<AddressInfo> {
  const [place, metadata] =
    "descriptor" in where
      ? ["the socket that was handed over", { descriptor: String(where.descriptor) }]
      : [`${where.host}:${where.port}`, { host: where.host, port: String(where.port) }];
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // Throws where the descriptor is no socket.
      server.listen("descriptor" in where ? { fd: where.descriptor } : { host: where.host, port: where.port }, resolve);
    });
  } catch (error) {
    const { message } = error as Error;
    throw new DriverError("LISTEN_FAILED", `can't listen on ${place}: ${message}`, { metadata, cause: error });
  }
  const bound = server.address();
  if (typeof bound === "object" && bound !== null) return bound;
  server.close();
  throw new DriverError("LISTEN_FAILED", `can't listen on ${place}: it is no TCP socket`, { metadata });
}

function createPlain({ onHttp1, onHttp2 }: PortOptions): Server {
  return createServer({ noDelay: true, ...TCP_KEEPALIVE }, (socket) => {
    sniff(socket, (isHttp2) => (isHttp2 ? onHttp2 : onHttp1)(socket));
  });
}

/**
 * Under TLS the handshake decides: whoever offers `http/1.1` gets it (browsers and curl offer both), whoever offers only
 * `h2` is a gRPC client, and whoever offers nothing speaks HTTP/1.1.
 */
function createSecure({ onHttp1, onHttp2 }: PortOptions, tls: TlsContext): TlsServer {
  const server = createTlsServer({
    ...tls.current(),
    noDelay: true,
    ...TCP_KEEPALIVE,
    handshakeTimeout: FIRST_BYTES_TIMEOUT_MS,
    ALPNCallback: ({ protocols }) => ["http/1.1", "h2"].find((protocol) => protocols.includes(protocol)),
  });
  tls.onChange((context) => server.setSecureContext(context));
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => {});
    (socket.alpnProtocol === "h2" ? onHttp2 : onHttp1)(socket);
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

/**
 * Looks at a connection's first bytes and puts them back. With `data`, `pause` and `resume` instead of `readable`, `read`
 * and `unshift` the HTTP/2 session that takes over loses bytes.
 */
function sniff(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), FIRST_BYTES_TIMEOUT_MS).unref();
  socket.once("close", () => clearTimeout(timer));
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, HTTP2_PREFACE.length);
    const mayBeHttp2 = seen.subarray(0, compared).equals(HTTP2_PREFACE.subarray(0, compared));
    if (mayBeHttp2 && compared < HTTP2_PREFACE.length) {
      if (!socket.readableEnded && !socket.destroyed) socket.once("readable", look);
      return;
    }
    clearTimeout(timer);
    socket.unshift(seen);
    decide(mayBeHttp2);
  };
  socket.once("readable", look);
}
