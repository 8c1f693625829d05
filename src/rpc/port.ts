import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { DriverError } from "../errors/driver-error.ts";
import type { TlsContext } from "./tls.ts";

/** How long a connection may take to say its first bytes. */
const FIRST_BYTES_TIMEOUT_MS = 30_000;
/** The first bytes of every HTTP/2 connection, and of no HTTP/1.1 request. */
const HTTP2_PREFACE = Buffer.from("PRI ");

export interface PortOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls: TlsContext | undefined;
  readonly maxConnections: number;
  readonly onHttp2: (connection: Duplex) => void;
  readonly onHttp1: (connection: Duplex) => void;
}

/** One listening port: hands each connection to the stack that its first bytes, or its ALPN protocol, ask for. */
export class Port {
  readonly #server: Server | TlsServer;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server | TlsServer) {
    this.#server = server;
  }

  /** Binds. Throws LISTEN_FAILED. */
  static async open(options: PortOptions): Promise<Port> {
    const server = options.tls ? createSecure(options, options.tls) : createPlain(options);
    server.maxConnections = options.maxConnections;
    const port = new Port(server);
    server.on("connection", (socket: Socket) => port.#track(socket));
    await listen(server, options);
    return port;
  }

  /** `host:port` as clients of this host dial it; IPv6 in brackets. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
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

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // A client that resets its connection is no event: the calls on it learn it by their own streams.
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

function listen(server: Server | TlsServer, { host, port }: PortOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(
        new DriverError("LISTEN_FAILED", `can't listen on ${host}:${port}: ${error.message}`, {
          metadata: { host, port: String(port) },
          cause: error,
        }),
      ),
    );
    server.listen({ host, port }, resolve);
  });
}

function createPlain({ onHttp1, onHttp2 }: PortOptions): Server {
  return createServer({ noDelay: true }, (socket) => {
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
