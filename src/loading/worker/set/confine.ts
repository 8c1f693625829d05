import { realpathSync } from "node:fs";
import module, { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import { isForbidden } from "./forbidden.ts";

/** What native code a package may load. */
export interface Confinement {
  readonly mayOpen: (path: string) => boolean;
}

/** Node's own means, which its declarations do not have. */
interface Hidden {
  _kill(pid: number, signal: number): number;
  _debugProcess: unknown;
  _debugEnd: unknown;
}

const EPERM = -os.constants.errno.EPERM;

/**
 * Takes away what Node's permissions leave open: signals to the driver, which runs as the same user, its debugger, its priority, native
 * code from anywhere, and the channel to it, to which libraries write when they find one. It stops what code does by mistake or by
 * habit; it is no wall to code that looks for a way around it.
 */
export function confine({ mayOpen }: Confinement): void {
  const hidden = process as unknown as Hidden;
  const kill = hidden._kill.bind(process);
  // Also its group, which is the driver's: number 0.
  hidden._kill = (pid, signal) => (pid === process.pid ? kill(pid, signal) : EPERM);
  hidden._debugProcess = undefined;
  hidden._debugEnd = undefined;
  Object.assign(process, { send: undefined, disconnect: undefined });
  const open = process.dlopen.bind(process);
  process.dlopen = (module, path, ...more) => {
    if (!mayOpen(realpathSync(path))) throw denied(`native code from ${path}`);
    open(module, path, ...more);
  };
  const builtIn = process.getBuiltinModule.bind(process);
  process.getBuiltinModule = ((name: string) => {
    if (isForbidden(name)) throw denied(`the module ${name}`);
    return builtIn(name);
  }) as typeof process.getBuiltinModule;
  // Hooks that come later are asked first: one could say what the gate then takes for its own answer.
  const noHooks = () => {
    throw denied("a hook of modules");
  };
  Object.assign(module, { registerHooks: noHooks, register: noHooks });
  os.setPriority = () => {
    throw denied("another priority");
  };
  syncBuiltinESMExports();
}

function denied(what: string): Error {
  return Object.assign(new Error(`${what} is not for packages`), { code: "ERR_ACCESS_DENIED" });
}
