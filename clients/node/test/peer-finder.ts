import { setTimeout as sleep } from "node:timers/promises";
import { transportOf } from "../src/client.ts";
import type { DriverFinder, FindOptions, FoundDriver } from "../src/ensure/finder.ts";
import { abortError } from "../src/errors.ts";
import { type FollowerOptions, follow } from "../src/follow/follow.ts";
import { connect, type Drover } from "../src/index.ts";

interface Place {
  readonly address: string;
  readonly token?: string | undefined;
}

/** Finds the first of some peers that answers and is not the one that was lost. A peer's instance id is its address unless it says one. */
export class PeerFinder implements DriverFinder {
  readonly places: Place[];
  /** What was asked for, in order. */
  readonly searches: (string | undefined)[] = [];
  /** Those of them that must not start a driver. */
  joins = 0;
  /** Drivers that may be connected with again, though they take no new work. */
  rejoinable = false;

  constructor(...places: Place[]) {
    this.places = places;
  }

  async find({ signal, lost, start }: FindOptions): Promise<FoundDriver> {
    if (start === false) this.joins++;
    else this.searches.push(lost);
    for (;;) {
      for (const place of this.places) {
        const found = await reach(place, signal);
        if (found !== undefined && found.info.state === "serving" && found.info.instanceId !== lost) return found;
        await found?.channel[Symbol.asyncDispose]();
      }
      await sleep(10, undefined, { signal, ref: false }).catch(() => {
        throw abortError(signal.reason);
      });
    }
  }

  async rejoin(instanceId: string, { signal }: { readonly signal: AbortSignal }): Promise<FoundDriver> {
    for (const place of this.rejoinable ? this.places : []) {
      const found = await reach(place, signal);
      if (found?.info.instanceId === instanceId) return found;
      await found?.channel[Symbol.asyncDispose]();
    }
    throw new Error(`${instanceId} is gone`);
  }
}

async function reach(place: Place, signal: AbortSignal): Promise<FoundDriver | undefined> {
  try {
    const drover = await connect(place, { signal });
    const info = await drover.driver({ signal });
    const instanceId = info.instanceId || place.address;
    // A scripted peer says nothing of its state.
    const state = info.state === "unknown" ? "serving" : info.state;
    return { channel: transportOf(drover), info: { ...info, instanceId, state } };
  } catch {
    return undefined;
  }
}

/** A client that follows the peers of a finder; without a lease unless asked for. */
export async function following(finder: PeerFinder, options: FollowerOptions = {}): Promise<Drover> {
  const first = await finder.find({ signal: AbortSignal.timeout(10_000) });
  finder.searches.length = 0;
  return follow(finder, first, { lease: false, ...options });
}
