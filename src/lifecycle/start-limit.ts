import type { DriverControl } from "./control.ts";
import { EndDeadline } from "./end-deadline.ts";

export interface StartLimitOptions {
  readonly control: DriverControl;
  /** What the whole start may take; undefined: as long as it likes. */
  readonly timeoutMs: number | undefined;
  /** What it may still take once the grace of a driver that was told to end has passed. */
  readonly lastResortMs: number;
  readonly kill: (why: string) => void;
}

/** Kills a start that hangs, since it would hold the profile's lock for ever. Disposing ends that: the driver serves. */
export function limitStart({ control, timeoutMs, lastResortMs, kill }: StartLimitOptions): Disposable {
  const timers: NodeJS.Timeout[] = [];
  const killAfter = (milliseconds: number, why: string) => {
    timers.push(setTimeout(() => kill(why), milliseconds));
  };
  if (timeoutMs !== undefined) killAfter(timeoutMs, "its start takes too long");
  const deadline = new EndDeadline(control);
  const stop = () => killAfter(lastResortMs, "its start does not stop");
  deadline.signal.addEventListener("abort", stop, { once: true });
  return {
    [Symbol.dispose]: () => {
      deadline.signal.removeEventListener("abort", stop);
      deadline[Symbol.dispose]();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
