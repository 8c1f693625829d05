import { signalExitCode } from "./exit.ts";

const cleanupBoundMs = 5_000;

/**
 * Turns the first Ctrl-C (or SIGTERM) into an orderly end: what was registered runs first (it cancels on the driver),
 * then `signal` is aborted. A second one ends the process at once.
 */
export class Interrupts implements Disposable {
  readonly #controller = new AbortController();
  readonly #cleanups = new Set<(signal: AbortSignal) => Promise<void>>();
  readonly #listener = (name: NodeJS.Signals) => void this.#interrupt(name);
  #name: NodeJS.Signals | undefined;

  constructor() {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, this.#listener);
  }

  /** Aborted when the command is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The signal that ended the command. */
  get name(): NodeJS.Signals | undefined {
    return this.#name;
  }

  /** Runs `work`; an interrupt meanwhile waits for `cleanup` (5 s at most) before it aborts the signal. */
  async guard<T>(cleanup: (signal: AbortSignal) => Promise<unknown>, work: () => Promise<T>): Promise<T> {
    const entry = async (signal: AbortSignal) => {
      await cleanup(signal);
    };
    this.#cleanups.add(entry);
    try {
      return await work();
    } finally {
      this.#cleanups.delete(entry);
    }
  }

  [Symbol.dispose](): void {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, this.#listener);
  }

  async #interrupt(name: NodeJS.Signals): Promise<void> {
    if (this.#name !== undefined) process.exit(signalExitCode(name));
    this.#name = name;
    const bound = AbortSignal.timeout(cleanupBoundMs);
    await Promise.allSettled([...this.#cleanups].map((cleanup) => cleanup(bound)));
    this.#controller.abort();
  }
}
