import { DriverError } from "../../errors/driver-error.ts";
import type { HandedFiles } from "./handed-files.ts";
import type { WorkerLease } from "./model.ts";
import { isFault, isWorkerFailure, type WorkerProcess } from "./worker-process.ts";

export interface LeasedWorker {
  readonly process: WorkerProcess;
  /** What the worker is lent of the files of its sources, which it can't open otherwise; undefined: it can. */
  readonly handed: HandedFiles | undefined;
  /** Whether it runs code of packages. */
  readonly hasSet: boolean;
  /** Takes the worker back; `usable` unless nobody knows what it still does. */
  readonly giveBack: (usable: boolean) => Promise<void>;
}

/** The worker as whoever leased it sees it. */
export function leaseOf({ process, handed, hasSet, giveBack }: LeasedWorker): WorkerLease {
  let given = false;
  let discarded = false;
  return {
    pid: process.pid,
    get isOver() {
      return process.isOver;
    },
    get openStatements() {
      return process.openStatements;
    },
    call: async (method, params, options) => {
      try {
        const lent = handed === undefined ? params : await handed.inParams(params, options);
        return await process.call(method, lent, options);
      } catch (error) {
        const failed = DriverError.from(error);
        // What code of a package has begun it may still do, and what it has taken it may keep.
        if ((hasSet && isFault(failed)) || isWorkerFailure(failed)) discarded = true;
        throw error;
      }
    },
    discard: () => {
      discarded = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (given) return;
      given = true;
      process.releaseStatements();
      await handed?.[Symbol.asyncDispose]();
      await giveBack(!discarded && !process.isOver);
    },
  };
}
