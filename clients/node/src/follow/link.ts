import type { DriverInfo } from "../model.ts";
import type { Transport } from "../transport/transport.ts";

/** A connection to one driver, kept open while calls use it, also after new calls have gone elsewhere. */
export class Link {
  readonly channel: Transport;
  readonly instanceId: string;
  #uses = 0;
  #retired = false;
  readonly #onEnd: (link: Link) => void;

  constructor(channel: Transport, { instanceId }: Pick<DriverInfo, "instanceId">, onEnd: (link: Link) => void) {
    this.channel = channel;
    this.instanceId = instanceId;
    this.#onEnd = onEnd;
  }

  /** Whether new work goes elsewhere. */
  get retired(): boolean {
    return this.#retired;
  }

  hold(): void {
    this.#uses++;
  }

  release(): void {
    this.#uses--;
    if (this.#retired && this.#uses === 0) this.#onEnd(this);
  }

  /** For those only who ask for it now: no new work, and it ends when they have left. */
  reserve(): void {
    this.#retired = true;
  }

  /** No new work; what uses it goes on, and the last user closes it. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#uses === 0) this.#onEnd(this);
  }
}
