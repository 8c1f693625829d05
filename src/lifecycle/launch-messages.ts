import { closeSync, writeSync } from "node:fs";
import type { DriverError } from "../errors/driver-error.ts";
import type { AddressFile } from "./address-file.ts";

/** What a driver does one after the other when it starts, as docs/lifecycle.md lists it. */
export type StartPhase = "configuration" | "catalog" | "engine" | "serving";

/**
 * All messages together fit into a pipe (64 KiB) many times over: so none of the writes waits for a reader, and they may be
 * synchronous, which keeps their order up to the last act of a process that fails.
 */
const MAX_MESSAGE_CHARS = 1000;

/** Tells the client that started this driver how far it is. A client that is gone, or was never there, changes nothing. */
export class LaunchMessages implements Disposable {
  readonly #launchId: string | undefined;
  #descriptor: number | undefined;
  #phase: StartPhase = "configuration";

  constructor({ id, descriptor }: { readonly id: string | undefined; readonly descriptor: number | undefined }) {
    this.#launchId = id;
    this.#descriptor = descriptor;
  }

  /** This phase begins. */
  phase(phase: StartPhase): void {
    this.#phase = phase;
    this.#send({ event: "phase", phase });
  }

  /** Everything is open; the driver waits for the profile's lock. */
  standby(): void {
    this.#send({ event: "standby" });
  }

  /** It serves, and its address file is there: the last message. */
  ready({ address, tls, tokenFile, instanceId, version, fingerprint, pid }: AddressFile): void {
    this.#send({ event: "ready", address, tls, tokenFile, instanceId, version, fingerprint, pid });
    this[Symbol.dispose]();
  }

  /** It ends, and why: the last message. Does nothing after `ready`. */
  failed({ reason, message }: DriverError): void {
    const said = message.slice(0, MAX_MESSAGE_CHARS);
    // Whoever holds the profile's lock is the driver that the client wants.
    if (reason === "ALREADY_RUNNING") this.#send({ event: "lostRace", message: said });
    else this.#send({ event: "failed", reason, message: said, phase: this.#phase });
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    if (this.#descriptor === undefined) return;
    try {
      writeSync(this.#descriptor, `${JSON.stringify({ launchId: this.#launchId, ...message })}\n`);
    } catch {
      // EPIPE: nobody reads any more.
      this[Symbol.dispose]();
    }
  }
}
