import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Bearer } from "../../access/access.ts";
import { Code } from "../../errors/code.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { accessOf } from "../admit.ts";
import { type Authenticate, named } from "../authenticate.ts";
import { nextRequestId } from "../call.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { END_USER_HEADER } from "../end-user.ts";
import { SCOPE_HEADER } from "../mapping/scopes.ts";
import type { BoundMethod } from "../service.ts";
import type { ConnectEndpoint } from "./connect-endpoint.ts";
import { allowOrigin, answerPreflight } from "./origins.ts";

/** As a module import it would run all its getters, one of which loads fetch and WebSocket: 36 ms of a start instead of 4. */
const { createServer } = process.getBuiltinModule("node:http");
/** How what is no request is answered, by the parser's code; the rest is 400. */
const UNREADABLE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};
/** How a page is refused, by the error's code; the rest is 503. */
const REFUSED: Readonly<Partial<Record<Code, number>>> = {
  [Code.INVALID_ARGUMENT]: 400,
  [Code.UNAUTHENTICATED]: 401,
  [Code.PERMISSION_DENIED]: 403,
};
const KEEP_ALIVE_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 60_000;

/** A plain page: text for people, probes or scrapers. */
export interface Page {
  /** Whether it needs a token that shows everything, of which nothing is given up: what it says is of all datasets together. */
  readonly authenticated: boolean;
  render(context: { readonly authenticated: boolean }): {
    readonly status: number;
    readonly contentType: string;
    readonly body: string;
  };
}

export interface HttpStackOptions {
  readonly dispatcher: Dispatcher;
  readonly authenticate: Authenticate;
  readonly instanceId: string;
  readonly maxRequestBytes: number;
  readonly origins: readonly string[];
  readonly pages: ReadonlyMap<string, Page>;
  readonly clientCertificates: boolean;
  readonly onError: (message: string, error: unknown) => void;
}

/** HTTP/1.1 on the connections that are handed to it: pages, Connect (JSON and binary), gRPC-Web. */
export class HttpStack {
  readonly #options: HttpStackOptions;
  readonly #server: Server;
  readonly #methods: ReadonlyMap<string, BoundMethod>;
  #endpoint: Promise<ConnectEndpoint> | undefined;
  #draining = false;

  constructor(options: HttpStackOptions) {
    this.#options = options;
    this.#methods = new Map(options.dispatcher.methods.map((bound) => [bound.path, bound]));
    this.#server = createServer(
      // How long a body may take depends on the method.
      { keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS, headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0 },
      (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          options.onError("an HTTP request failed", error);
          response.destroy();
        });
      },
    );
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable || error.code === "ECONNRESET") socket.destroy();
      else socket.end(`HTTP/1.1 ${UNREADABLE[error.code ?? ""] ?? "400 Bad Request"}\r\nconnection: close\r\n\r\n`);
    });
    // This server never listens itself; without the event Node neither ends slow requests nor knows its connections.
    this.#server.emit("listening");
  }

  /** Takes over a connection whose TLS, if any, is done. */
  serve(connection: Duplex): void {
    this.#server.emit("connection", connection);
  }

  /** Connections close once their present request is answered; idle ones at once. */
  drain(): void {
    this.#draining = true;
    this.#server.closeIdleConnections();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Loads what only calls over HTTP/1.1 need. */
  async warmUp(): Promise<void> {
    await this.#connect();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = nextRequestId();
    response.setHeader("drover-instance-id", this.#options.instanceId);
    response.setHeader("drover-request-id", requestId);
    if (this.#draining) response.setHeader("connection", "close");
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const allowed = allowOrigin(request, response, this.#options.origins);
    if (request.method === "OPTIONS") return answerPreflight(response, allowed);
    const page = this.#options.pages.get(path);
    if (page) return this.#answerPage(page, request, response);
    const endpoint = await this.#connect();
    const found = allowed
      ? this.#authenticate(path, request)
      : new DriverError("ORIGIN_FORBIDDEN", `pages of ${request.headers.origin} may not call the driver`, {
          metadata: { origin: String(request.headers.origin) },
        });
    const { remoteAddress, remotePort } = request.socket;
    const peer = `${remoteAddress}:${remotePort}`;
    const caller = found instanceof DriverError ? { refusal: found } : { bearer: found };
    await endpoint.answer(request, response, { path, requestId, peer, ...caller });
  }

  #answerPage(page: Page, request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    const refusal = pageRefusal(this.#options.authenticate(request.headers.authorization), request.headers);
    if (page.authenticated && refusal) {
      const status = REFUSED[refusal.code] ?? 503;
      const challenge = status === 401 && { "www-authenticate": "Bearer" };
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...challenge });
      response.end(`${refusal.reason}: ${refusal.message}\n`);
      return;
    }
    const { status, contentType, body } = page.render({ authenticated: refusal === undefined });
    response.writeHead(status, {
      "content-type": contentType,
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #authenticate(path: string, { headers, socket }: IncomingMessage): Bearer | DriverError | undefined {
    if (this.#methods.get(path)?.authenticated === false) return undefined;
    const found = this.#options.authenticate(headers.authorization);
    if (found instanceof DriverError || !this.#options.clientCertificates) return found;
    return named(found, (socket as TLSSocket).getPeerCertificate?.()?.subject?.CN);
  }

  #connect(): Promise<ConnectEndpoint> {
    this.#endpoint ??= import("./connect-endpoint.ts").then(
      ({ createConnectEndpoint }) => createConnectEndpoint({ ...this.#options, methods: this.#methods }),
      (error: unknown) => {
        this.#endpoint = undefined;
        throw error;
      },
    );
    return this.#endpoint;
  }
}

/** Why a caller gets no page, if so. */
function pageRefusal(found: Bearer | DriverError, headers: IncomingHttpHeaders): DriverError | undefined {
  if (found instanceof DriverError) return found;
  try {
    const narrowing = {
      endUserHeader: headerOf(headers, END_USER_HEADER),
      scopeHeader: headerOf(headers, SCOPE_HEADER),
    };
    if (accessOf(found, narrowing).unbounded) return undefined;
  } catch (error) {
    return DriverError.from(error);
  }
  const { principal } = found;
  return new DriverError("ACCESS_DENIED", `pages are for calls without a scope; that of ${principal} has one`, {
    metadata: { principal },
  });
}

/** Several are none that can be read. */
function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "object" ? value.join(", ") : value;
}
