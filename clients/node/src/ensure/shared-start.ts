import { SharedWork } from "../follow/shared-work.ts";
import type { EnsureEvent } from "./options.ts";
import { attemptStart, type StartOutcome, type StartPlan } from "./start-attempt.ts";
import { asStartFailure } from "./start-failure.ts";

/** A start that this call has begun (`own`), or that another call of this process had begun already. */
export interface SharedStart {
  readonly own: boolean;
  readonly work: SharedWork<StartOutcome>;
}

const underWay = new Map<string, SharedWork<StartOutcome>>();

/**
 * Starts a driver, or waits with those who do so in this process. The start goes on when all have left; the connection of the
 * driver that is to be replaced is closed in the end.
 */
export function shareStart(plan: Omit<StartPlan, "abandoned">, onEvent: (event: EnsureEvent) => void): SharedStart {
  const { dataDirectory, profile, program, replaces, withoutLock } = plan;
  const key = JSON.stringify([dataDirectory, profile, program.command, replaces?.instanceId, withoutLock]);
  const known = underWay.get(key);
  // One that all have left does not keep the process alive: whoever comes then waits by looking.
  if (known !== undefined && !known.abandoned) return { own: false, work: known };
  const work: SharedWork<StartOutcome> = new SharedWork(async (abandoned) => {
    try {
      return await attemptStart({ ...plan, abandoned }, onEvent);
    } catch (error) {
      throw asStartFailure(error, plan);
    } finally {
      if (underWay.get(key) === work) underWay.delete(key);
      await replaces?.channel[Symbol.asyncDispose]();
    }
  });
  underWay.set(key, work);
  return { own: true, work };
}
