import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type Direction = "toClient" | "toDriver";

/** A TCP proxy whose connections can be cut, as a network does. */
export interface CutProxy extends AsyncDisposable {
  readonly address: string;
  /** How many clients are connected. */
  readonly connections: number;
  /** Breaks every connection; later ones work again. */
  cut(): void;
  /** Lets nothing through in one direction any more, ends and resets included: connections are half open from then on. */
  stall(direction: Direction): void;
  /** The same for the connections of now only. */
  stallOpen(direction: Direction): void;
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const stalled = new Set<Direction>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  };
  const open = new Set<Set<Direction>>();
  const forward = (from: Socket, to: Socket, direction: Direction, own: ReadonlySet<Direction>) => {
    const isStalled = () => stalled.has(direction) || own.has(direction);
    from.on("data", (bytes) => {
      if (isStalled() || to.write(bytes)) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
    from.once("end", () => isStalled() || to.end());
    from.once("close", () => isStalled() || to.destroy());
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host, port: Number(port), allowHalfOpen: true });
    clients.add(client);
    client.once("close", () => clients.delete(client));
    track(client);
    track(upstream);
    const own = new Set<Direction>();
    open.add(own);
    client.once("close", () => open.delete(own));
    forward(client, upstream, "toDriver", own);
    forward(upstream, client, "toClient", own);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return clients.size;
    },
    cut,
    stall: (direction) => stalled.add(direction),
    stallOpen: (direction) => {
      for (const own of open) own.add(direction);
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
