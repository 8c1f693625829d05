import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What a process may have of private memory at least: Node reserves so much before it has done anything. */
const MIN_DATA_BYTES = 700_000_000;
/**
 * Readers go first, but don't starve loads: at 19 a load had not ended after a minute beside readers that were never idle (a
 * share of 1.5 %), at 10 it has a tenth of the CPUs.
 */
const NICE = "10";

/**
 * The command of a worker: niced, so that readers go first, and bounded by the system. The heap's flag alone lets buffers take
 * gigabytes, and a limit of the address space keeps Node from starting; so it is the data segment that is limited.
 */
export function workerCommand(program: readonly string[], memoryBytes: number): readonly string[] {
  const [node = "", ...rest] = program;
  const heapMb = Math.max(64, Math.floor(memoryBytes / 2 / 2 ** 20));
  // Any process of the user could open a debugger by a signal.
  const command = [node, `--max-old-space-size=${heapMb}`, "--disable-sigusr1", ...rest];
  // The watch over its memory ends it before; this is for what happens between two looks. Allocators map twice what they use:
  // with 2,000 columns 1.4 GB were mapped when 0.4 GB were in memory.
  const data = String(MIN_DATA_BYTES + 2 * memoryBytes);
  const niced = onPath("nice") ? ["nice", "-n", NICE, ...command] : command;
  return onPath("prlimit") ? ["prlimit", `--data=${data}`, ...niced] : niced;
}

const found = new Map<string, boolean>();

function onPath(name: string): boolean {
  let present = found.get(name);
  if (present === undefined) {
    const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
    present = folders.some((folder) => existsSync(join(folder, name)));
    found.set(name, present);
  }
  return present;
}
