import type { DriverInfo } from "../model.ts";
import type { Transport } from "../transport/transport.ts";

/** A driver that has proved itself, takes work, and is connected. Whoever asked disposes of the channel. */
export interface FoundDriver {
  readonly channel: Transport;
  readonly info: DriverInfo;
}

/** How a driver is looked for. */
export interface FindOptions {
  readonly signal: AbortSignal;
  readonly lost?: string | undefined;
  /** `false`: only joins a driver that is there, whatever the finder may do otherwise. */
  readonly start?: false | undefined;
  /** How much time the caller has left, in milliseconds; it is told at once where that can't be enough. Default: no limit. */
  readonly remainingMs?: (() => number) | undefined;
}

/** Finds the driver that counts now, starting one where that is allowed. */
export interface DriverFinder {
  /**
   * `lost` is the instance that the caller has just lost, or that sent it away: it is not answered again while it is not
   * seen to serve. Rejects with a DroverError when there is no driver, or with the signal's reason.
   */
  find(options: FindOptions): Promise<FoundDriver>;
  /**
   * Connects once more to an instance, which may be draining: what runs there can still be watched. Rejects with a
   * DroverError when it is gone or silent for 2 s. Left out where instances can't be told apart.
   */
  rejoin?(instanceId: string, options: { readonly signal: AbortSignal }): Promise<FoundDriver>;
}
