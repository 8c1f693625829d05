import type { IncomingMessage, ServerResponse } from "node:http";

const ALLOWED_HEADERS = [
  "authorization",
  "content-type",
  "connect-protocol-version",
  "connect-timeout-ms",
  "connect-content-encoding",
  "connect-accept-encoding",
  "grpc-timeout",
  "x-grpc-web",
  "x-user-agent",
  "drover-end-user",
  "drover-scope",
  "traceparent",
  "tracestate",
];
const EXPOSED_HEADERS = [
  "drover-instance-id",
  "drover-request-id",
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
];
const PREFLIGHT_MAX_AGE_S = 600;

/**
 * Whether the browser page behind a request, if there is one, may call the driver: a page that the driver served, or one of
 * the allowed origins, to which the browser is told so.
 */
export function allowOrigin(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  response.setHeader("vary", "origin");
  if (origins.includes(origin)) {
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", EXPOSED_HEADERS.join(", "));
    return true;
  }
  const scheme = "encrypted" in request.socket ? "https" : "http";
  return origin === `${scheme}://${host}`;
}

/** Answers a browser's question before the call. */
export function answerPreflight(response: ServerResponse, allowed: boolean): void {
  if (allowed) {
    response.setHeader("access-control-allow-methods", "GET, POST");
    response.setHeader("access-control-allow-headers", ALLOWED_HEADERS.join(", "));
    response.setHeader("access-control-max-age", PREFLIGHT_MAX_AGE_S);
  }
  response.writeHead(allowed ? 204 : 403).end();
}
