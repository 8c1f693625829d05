import { appendCalls } from "./append-calls.ts";
import type { CallHandlers } from "./call-context.ts";
import { incrementCalls } from "./increment-calls.ts";
import { loadCalls } from "./load-calls.ts";
import { sourceCalls } from "./source-calls.ts";

/** Everything that a worker can be asked. */
export function createCalls(): CallHandlers {
  return { ...loadCalls(), ...sourceCalls, ...appendCalls, ...incrementCalls };
}
