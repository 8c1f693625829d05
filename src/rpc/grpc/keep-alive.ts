import type { ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";

/** A connection that is dead in one direction is found within both together, though nothing travels on it. */
const PING_INTERVAL_MS = 5_000;
const PING_TIMEOUT_MS = 5_000;

/**
 * Asks the other end again and again whether it lives, and drops the connection when no answer comes. grpc-js's own keepalive
 * ends the session instead: a client that still hears us takes that for an error of each of its calls (INTERNAL), not for
 * a lost connection after which it may try again (UNAVAILABLE).
 */
export function keepAlive(session: ServerHttp2Session, connection: Duplex): void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(ask, PING_INTERVAL_MS).unref();
  };
  const ask = () => {
    if (session.destroyed) return;
    let answered = false;
    // After a driver that stood still, the answer may wait to be read: that comes between a timer and an immediate.
    const giveUp = () => {
      if (!answered) connection.destroy();
    };
    timer = setTimeout(() => setImmediate(giveUp), PING_TIMEOUT_MS).unref();
    session.ping((error) => {
      answered = true;
      clearTimeout(timer);
      if (error === null) wait();
    });
  };
  session.once("close", () => clearTimeout(timer));
  wait();
}
