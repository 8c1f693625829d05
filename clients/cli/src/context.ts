import type { Command } from "commander";
import type { CallOptions, Drover } from "../../node/src/index.ts";
import { checkFlags, connectTo, type GlobalFlags, type Globals, globalsOf } from "./globals.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Output } from "./output.ts";

/** What a command works with. */
export interface Context {
  readonly globals: Globals;
  readonly output: Output;
  readonly interrupts: Interrupts;
  /** Signal and time limit for calls. */
  readonly call: CallOptions;
  /** Connects to the driver; the caller disposes of it. */
  connect(): Promise<Drover>;
}

/** Makes a commander action of a command's work. */
export type Act = <A extends unknown[]>(
  work: (context: Context, ...args: A) => Promise<void>,
) => (...args: A) => Promise<void>;

/** Binds actions to the program's options and to the process. */
export function actWith(program: Command, output: Output, interrupts: Interrupts, env: NodeJS.ProcessEnv): Act {
  return (work) =>
    async (...args) => {
      const flags = program.opts<GlobalFlags>();
      checkFlags(flags);
      const globals = globalsOf(flags, env);
      const { signal } = interrupts;
      const call = { signal, ...(globals.timeoutMs === undefined ? {} : { timeoutMs: globals.timeoutMs }) };
      await work({ globals, output, interrupts, call, connect: () => connectTo(globals, signal) }, ...args);
    };
}
