import { isIP } from "node:net";
import { DriverError } from "../errors/driver-error.ts";
import type { Activity } from "../lifecycle/activity.ts";
import type { Readiness } from "../lifecycle/readiness.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import { createAuthenticate, type FindToken, TOKENS_LOOKED_AT_EVERY_MS } from "./authenticate.ts";
import { Dispatcher } from "./dispatcher.ts";
import { GrpcStack } from "./grpc/grpc-stack.ts";
import { healthService } from "./handlers/health.ts";
import { HttpStack, type Page } from "./http/http-stack.ts";
import { Port } from "./port.ts";
import type { BoundMethod } from "./service.ts";
import { TlsContext, type TlsFiles } from "./tls.ts";
import { createValidate } from "./validate.ts";

/** How long clients have to take the last bytes of their answers when the server closes. */
const LAST_BYTES_TIMEOUT_MS = 1_000;

export interface RpcServerOptions {
  /** `host:port`. */
  readonly listen: string;
  /** The descriptor of a listening socket, in place of `listen`. */
  readonly socket: number | undefined;
  readonly allowPlainRemote: boolean;
  /** Undefined: no TLS. */
  readonly tls: (TlsFiles & { readonly reloadIntervalMs: number }) | undefined;
  /** Of the token file. */
  readonly token: string;
  readonly findToken: FindToken;
  readonly instanceId: string;
  readonly origins: readonly string[];
  readonly limits: { readonly maxRequestBytes: number; readonly maxStreams: number; readonly maxConnections: number };
  readonly methods: readonly BoundMethod[];
  readonly pages: ReadonlyMap<string, Page>;
  /** Told of every authenticated call. */
  readonly activity: Activity;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** The driver's port with both stacks behind it. */
export interface RpcServer extends AsyncDisposable {
  /** Whether its port is always the same, so that drivers can have it only one after the other. */
  readonly fixedPort: boolean;
  /** Binds the port. Throws LISTEN_REFUSED, LISTEN_FAILED. */
  listen(): Promise<void>;
  /** `host:port`, to be dialled; known once it listens, as the next. */
  readonly address: string;
  /** Whether only this machine can reach it. */
  readonly loopback: boolean;
  /** Gives the port back; connections stay. */
  releasePort(): void;
  /** Loads what the first calls would wait for otherwise. */
  warmUp(): Promise<void>;
  /** Takes no more connections and lets those that are there end after their calls. */
  stopListening(graceMs: number): void;
  /** Settles when no call does work, or when the signal is aborted. */
  workDone(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Aborts every call that is left and waits for their ends, until the signal is aborted. */
  abortCalls(reason: DriverError, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** Makes everything but the binding of the port. Throws LISTEN_REFUSED, TLS_INVALID. */
export async function openRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const place = splitAddress(options.listen);
  // A socket's own address is known when it is open.
  const host = options.socket === undefined ? place.host : undefined;
  if (host !== undefined) refusePlainRemote(host, options.listen, options);
  const { logger, metrics, readiness, activity } = options;
  const validate = createValidate();
  const services = [...new Set(options.methods.map(({ method }) => method.parent.typeName))];
  const methods = [...options.methods, ...healthService(readiness, services)];
  const dispatcher = new Dispatcher({ methods, activity, readiness, validate, metrics, logger });
  const shared = {
    dispatcher,
    authenticate: createAuthenticate(options.token, options.findToken),
    instanceId: options.instanceId,
    maxRequestBytes: options.limits.maxRequestBytes,
    clientCertificates: Boolean(options.tls?.clientCaFile),
  };
  const grpc = new GrpcStack({ ...shared, maxStreams: options.limits.maxStreams });
  const http = new HttpStack({
    ...shared,
    origins: options.origins,
    pages: options.pages,
    onError: (message, error) => logger.error(message, { error }),
  });
  const tls = options.tls && (await TlsContext.open(options.tls));
  const port = new Port({
    listen: options.socket === undefined ? place : { descriptor: options.socket },
    accept: (bound) => host === undefined && refusePlainRemote(bound, `the socket at ${bound}`, options),
    tls,
    maxConnections: options.limits.maxConnections,
    onHttp2: (connection) => grpc.serve(connection),
    onHttp1: (connection) => http.serve(connection),
  });
  if (tls && options.tls) {
    tls.poll(options.tls.reloadIntervalMs, {
      changed: () => logger.info("the certificates were read again"),
      failed: (error) => logger.error("the certificates can't be read again; the ones before stay", { error }),
    });
  }
  const look = setInterval(() => dispatcher.endRefused(), TOKENS_LOOKED_AT_EVERY_MS).unref();
  metrics.collect((set) => set("drover_connections", [], port.connections));
  return {
    fixedPort: options.socket === undefined && place.port !== 0,
    listen: () => port.listen(),
    get address() {
      return port.address;
    },
    get loopback() {
      return isLoopback(host ?? port.host);
    },
    releasePort: () => port.stopListening(),
    warmUp: async () => {
      await validate.warmUp(new Set(methods.map(({ method }) => method.input)));
      await http.warmUp();
    },
    stopListening: (graceMs) => {
      port.stopListening();
      grpc.drain(graceMs);
      http.drain();
    },
    workDone: (waitOptions) => dispatcher.workDone(waitOptions),
    abortCalls: (reason, waitOptions) => {
      dispatcher.abortAll(reason);
      return dispatcher.callsDone(waitOptions);
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(look);
      // Connections that were busy when draining began are idle now.
      http.drain();
      await port.close({ graceMs: LAST_BYTES_TIMEOUT_MS });
      grpc.close();
      http.close();
      await tls?.[Symbol.asyncDispose]();
    },
  };
}

function splitAddress(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(":");
  const port = Number(listen.slice(colon + 1));
  if (port > 65_535) throw new DriverError("CONFIG_INVALID", `listen: ${port} is no port`);
  return { host: listen.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port };
}

function refusePlainRemote(host: string, listen: string, { tls, allowPlainRemote }: RpcServerOptions): void {
  if (tls || allowPlainRemote || isLoopback(host)) return;
  throw new DriverError(
    "LISTEN_REFUSED",
    `${listen} is not loopback, and TLS is off: the token would travel in the clear`,
    {
      metadata: { listen },
    },
  );
}

/** A name other than localhost may resolve to anything. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
