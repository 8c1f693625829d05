import type { CallHandlers } from "./call-context.ts";

/** Calls about segments that are there already. */
export const incrementCalls: CallHandlers<"startOfIncrement" | "mergeIncrement"> = {
  startOfIncrement: async ({ rule, base }, { engine, signal }) =>
    (await engine()).startOfIncrement(rule, base, { signal }),
  mergeIncrement: async ({ increment, place, threads }, { engine, signal }) =>
    (await engine(threads)).mergeIncrement(increment, { ...place, signal }),
};
