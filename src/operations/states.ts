import type { OperationState } from "./model.ts";

/** What can happen to an operation. */
export type OperationTrigger = "begin" | "cancel" | "succeed" | "fail" | "stopped" | "lose";

type Transitions = Readonly<Partial<Record<OperationTrigger, OperationState>>>;

const final: Transitions = {};

/**
 * Every move there is; what isn't named changes nothing. Work may succeed while it is being cancelled: a version that is
 * published stays published. One that waits is cancelled without a state between, since nothing has to stop.
 */
export const transitions: Readonly<Record<OperationState, Transitions>> = {
  pending: { begin: "running", succeed: "succeeded", fail: "failed", stopped: "cancelled", lose: "lost" },
  running: { cancel: "cancelling", succeed: "succeeded", fail: "failed", stopped: "cancelled", lose: "lost" },
  cancelling: { succeed: "succeeded", fail: "failed", stopped: "cancelled", lose: "lost" },
  succeeded: final,
  failed: final,
  cancelled: final,
  lost: final,
};

/** The state after a trigger; the same one where the table names none. */
export function nextState(state: OperationState, trigger: OperationTrigger): OperationState {
  return transitions[state][trigger] ?? state;
}

export function isFinal(state: OperationState): boolean {
  return transitions[state] === final;
}
