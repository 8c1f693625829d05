import type { Command } from "commander";
import type { CallOptions, Drover } from "../../node/src/index.ts";
import { type ConnectWishes, checkFlags, connectTo, type GlobalFlags, type Globals, globalsOf } from "./globals.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Output } from "./output.ts";
import { stepText } from "./render/start-steps.ts";

/** What a command works with. */
export interface Context {
  readonly globals: Globals;
  readonly output: Output;
  readonly interrupts: Interrupts;
  /** Signal and time limit for calls. */
  readonly call: CallOptions;
  /** Connects to the driver, starting it if need be; the caller disposes of it. */
  connect(wishes?: ConnectWishes): Promise<Drover>;
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
      const connect = (wishes: ConnectWishes = {}) => connectTo(globals, signal, told(wishes, globals, output));
      await work({ globals, output, interrupts, call, connect }, ...args);
    };
}

/** People are told when something is waited for; scripts read errors only, on standard error. */
function told(wishes: ConnectWishes, { json }: Globals, output: Output): ConnectWishes {
  return {
    ...wishes,
    onEvent: (event) => {
      const text = json || output.stderr.isTTY !== true ? undefined : stepText(event);
      if (text !== undefined) output.note(output.errorStyle.dim(text));
      wishes.onEvent?.(event);
    },
  };
}
