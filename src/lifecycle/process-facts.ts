import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** By what others tell this process from one that was given its pid later, or has it on another machine. */
export interface ProcessFacts {
  readonly hostname: string;
  /** The machine's boot; absent where it is not known, as the next two. */
  readonly bootId?: string;
  readonly pidNamespace?: string;
  /** Clock ticks from the boot to the process's start. */
  readonly startTicks?: number;
}

/** What the system says of this process. */
export function readProcessFacts(): ProcessFacts {
  const bootId = tryTo(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const pidNamespace = tryTo(() => readlinkSync("/proc/self/ns/pid"));
  const startTicks = tryTo(() => startTicksOf(readFileSync("/proc/self/stat", "utf8")));
  return {
    hostname: hostname(),
    ...(bootId === undefined ? {} : { bootId }),
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
    ...(startTicks === undefined ? {} : { startTicks }),
  };
}

/** Field 22. The second field is the program's name in parentheses, and may hold spaces and parentheses of its own. */
function startTicksOf(stat: string): number {
  const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  if (!Number.isSafeInteger(ticks)) throw new Error("no start time in /proc/self/stat");
  return ticks;
}

/** Only Linux has these files. */
function tryTo<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
