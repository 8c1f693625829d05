import { Drover } from "../client.ts";
import type { DriverFinder, FoundDriver } from "../ensure/finder.ts";
import { Lease } from "../lease.ts";
import { FollowingTransport, type FollowOptions } from "./following-transport.ts";

export interface FollowerOptions extends Pick<FollowOptions, "budget" | "searchTimeoutMs"> {
  /** `false`: no lease. Default: one with the program's name and pid. */
  readonly lease?: { readonly name?: string | undefined } | false | undefined;
  /** This client's product version, for people. */
  readonly version?: string | undefined;
}

/**
 * A client that goes on at the next driver when its own is lost. `first` is the driver that was found for it; the client
 * disposes of its channel. The lease is attached in the background, over a connection of its own.
 */
export function follow(finder: DriverFinder, first: FoundDriver, options: FollowerOptions = {}): Drover {
  let lease: Lease | undefined;
  const transport = new FollowingTransport(finder, first, { ...options, onMove: () => lease?.nudge() });
  if (options.lease !== false)
    lease = new Lease({
      name: options.lease?.name,
      version: options.version,
      connect: async ({ signal, lost }) => {
        const { channel, info } = await finder.find({ signal, lost, start: false });
        return { channel, instanceId: info.instanceId, close: async () => await channel[Symbol.asyncDispose]() };
      },
      onDraining: (instanceId) => transport.retire(instanceId),
    });
  return new Drover(transport, lease);
}
