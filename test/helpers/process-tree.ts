import { readdir, readFile } from "node:fs/promises";

/** The processes that a process has started and that live, with what they are called. */
export async function childrenOf(pid: number): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const lists = await childrenByTask(pid);
  const pids = lists.flatMap((list) => list.split(" ").filter(Boolean).map(Number));
  const all = await Promise.all(pids.map(async (child) => ({ pid: child, command: await commandOf(child) })));
  return all.filter(({ command }) => command !== "");
}

/** Looks again where a thread has ended meanwhile: its children are another one's then. */
async function childrenByTask(pid: number): Promise<readonly string[]> {
  for (;;) {
    const tasks = await readdir(`/proc/${pid}/task`);
    const lists = await Promise.all(
      tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, "latin1").catch(() => undefined)),
    );
    const whole = lists.filter((list) => list !== undefined);
    if (whole.length === tasks.length) return whole;
  }
}

/** The loader workers of a driver process. */
export async function workersOf(pid: number): Promise<readonly number[]> {
  return (await childrenOf(pid)).filter(({ command }) => command.includes("worker.mjs")).map((child) => child.pid);
}

/** What a process takes of private memory, in bytes, and of CPU time since its start, in seconds; undefined once it has ended. */
export async function usageOf(
  pid: number,
): Promise<{ readonly privateBytes: number; readonly cpuSeconds: number } | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "latin1");
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    const privateBytes = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    return { privateBytes, cpuSeconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}

const TICKS_PER_SECOND = 100;

async function commandOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
}
