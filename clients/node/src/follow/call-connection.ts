import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";

const created = "http2.client.stream.created";

/** The connection of one call, found by a header that only this call carries. */
export interface CallConnection extends Disposable {
  /** `false` lets the process end although the call is open. */
  keepAlive(alive: boolean): void;
}

/**
 * gRPC keeps the process alive for as long as any call is open, and does not show its connections. Node tells of every HTTP/2
 * stream that is made (from 22.17 and 24.2 on; before, the process stays alive). The connection must carry no other call,
 * since that would not be waited for either.
 */
export function connectionOf(header: string, value: string): CallConnection {
  let session: ClientHttp2Session | undefined;
  const notice = (message: unknown) => {
    const { stream, headers } = message as { stream: ClientHttp2Stream; headers: Record<string, unknown> };
    if (String(headers[header]) === value) session = stream.session as ClientHttp2Session | undefined;
  };
  subscribe(created, notice);
  return {
    keepAlive: (alive) => {
      if (session === undefined || session.destroyed) return;
      if (alive) session.ref();
      else session.unref();
    },
    [Symbol.dispose]: () => {
      unsubscribe(created, notice);
    },
  };
}
