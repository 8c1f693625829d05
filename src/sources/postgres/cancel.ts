import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** Where a statement runs, and the key that the server has given for ending it. */
export interface StatementPlace {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly key: number;
}

const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;
const LIMIT_MS = 5_000;

/**
 * Sends the protocol's cancel request, over a connection of its own as the protocol wants it, and waits until the server has
 * taken it. It ends whatever the session runs at that moment, or nothing.
 */
export async function cancelStatement(
  { host, port, pid, key }: StatementPlace,
  { tls, signal }: { readonly tls: ConnectionOptions | undefined; readonly signal?: AbortSignal },
): Promise<void> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  const stop = signal ? AbortSignal.any([signal, limit]) : limit;
  const plain = host.startsWith("/") ? connect({ path: `${host}/.s.PGSQL.${port}` }) : connect({ host, port });
  const ending = (socket: Socket) => () => void socket.destroy();
  stop.addEventListener("abort", ending(plain));
  try {
    await once(plain, "connect", { signal: stop });
    const socket = tls === undefined || host.startsWith("/") ? plain : await upgraded(plain, tls, stop);
    socket.resume();
    const closed = once(socket, "close", { signal: stop });
    socket.write(message(CANCEL_REQUEST, pid, key));
    await closed;
  } finally {
    plain.destroy();
  }
}

/** Over TLS where the server has it: the request is worth as much to others as to us. */
async function upgraded(plain: Socket, tls: ConnectionOptions, signal: AbortSignal): Promise<Socket> {
  plain.write(message(SSL_REQUEST));
  const [answer] = (await once(plain, "data", { signal })) as [Buffer];
  // A server without TLS: whoever asks for more than `prefer` has had no session there.
  if (answer.toString("latin1", 0, 1) !== "S") return plain;
  const socket = connectTls({ ...tls, socket: plain });
  await once(socket, "secureConnect", { signal });
  return socket;
}

function message(code: number, ...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(8 + 4 * values.length);
  buffer.writeInt32BE(buffer.length, 0);
  buffer.writeInt32BE(code, 4);
  for (const [index, value] of values.entries()) buffer.writeInt32BE(value, 8 + 4 * index);
  return buffer;
}
