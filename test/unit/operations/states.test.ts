import { expect, it } from "vitest";
import type { OperationState } from "../../../src/operations/model.ts";
import { isFinal, nextState, type OperationTrigger, transitions } from "../../../src/operations/states.ts";

const triggers: readonly OperationTrigger[] = ["begin", "cancel", "succeed", "fail", "stopped", "lose"];

// The whole table once more, by hand: state by state, in the order of the triggers above.
const expected: Readonly<Record<OperationState, readonly OperationState[]>> = {
  pending: ["running", "pending", "succeeded", "failed", "cancelled", "lost"],
  running: ["running", "cancelling", "succeeded", "failed", "cancelled", "lost"],
  cancelling: ["cancelling", "cancelling", "succeeded", "failed", "cancelled", "lost"],
  succeeded: ["succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded"],
  failed: ["failed", "failed", "failed", "failed", "failed", "failed"],
  cancelled: ["cancelled", "cancelled", "cancelled", "cancelled", "cancelled", "cancelled"],
  lost: ["lost", "lost", "lost", "lost", "lost", "lost"],
};

const states = Object.keys(expected) as readonly OperationState[];

it("knows every state", () => {
  expect(Object.keys(transitions)).toEqual(states);
});

for (const state of states) {
  for (const [index, trigger] of triggers.entries()) {
    it(`goes from ${state} on ${trigger} to ${expected[state][index]}`, () => {
      expect(nextState(state, trigger)).toBe(expected[state][index]);
    });
  }
}

it("calls those states final that nothing leaves", () => {
  expect(states.filter(isFinal)).toEqual(["succeeded", "failed", "cancelled", "lost"]);
});
