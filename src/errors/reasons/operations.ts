import { Code } from "../code.ts";
import type { ReasonEntry } from "./model.ts";

/** Of operations. */
export const operationsReasons = {
  OPERATION_NOT_FOUND: {
    code: Code.NOT_FOUND,
    when: "No operation has this id, or it ended so long ago that its record is gone.",
    help: "List operations to see which there are.",
    retryable: false,
  },
  OPERATION_EXISTS: {
    code: Code.ALREADY_EXISTS,
    when: "Another operation has the id that the client chose.",
    help: "Choose a new id for new work.",
    retryable: false,
  },
  RESULT_EXPIRED: {
    code: Code.OUT_OF_RANGE,
    when: "What a client asks to be sent again of a query is no longer kept.",
    help: "Ask the question again.",
    retryable: false,
  },
  POOL_FULL: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "A pool's queue is full.",
    help: "Try again later, or raise the pool's `maxQueued`.",
    retryable: true,
  },
  EVENTS_LOST: {
    code: Code.ABORTED,
    when: "A client that is attached left so many of the driver's events unread that no more are kept for it.",
    help: "Attach again, and read what the driver serves now rather than count on events.",
    retryable: true,
  },
  WORKER_CRASHED: {
    code: Code.UNAVAILABLE,
    when: "The worker process that a load, test or preview ran in ended unexpectedly, twice where a second try was possible.",
    help: "The message says how it ended and what it said last; the driver's log has more. Try again, and report it if it stays.",
    retryable: true,
  },
  WORKER_OUT_OF_MEMORY: {
    code: Code.RESOURCE_EXHAUSTED,
    when: "The worker process took more memory than it may.",
    help: "Raise `memory`, or lower `workers.max` so that each worker's share is larger; load fewer columns.",
    retryable: false,
  },
  WORKER_HUNG: {
    code: Code.UNAVAILABLE,
    when: "The worker process gave no sign of life for longer than `workers.hangTimeout`, or did not start, and was ended.",
    help: "A parser or connector that never yields is the usual cause; try again, or raise `workers.hangTimeout`.",
    retryable: true,
  },
  DRIVER_STOPPED: {
    code: Code.UNAVAILABLE,
    when: "The driver stopped before the operation was done.",
    help: "Ask the next driver.",
    retryable: true,
  },
} as const satisfies Record<string, ReasonEntry>;
