import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/**
 * Keeps this process, and the workers that it starts, to so many of its CPUs: what the engines' threads take together is then
 * never more, whoever of them is busy, and a single reader or load may still use all of it. Threads can't be counted instead:
 * DuckDB changes their number only between statements. Answers whether there is such a limit now.
 */
export async function limitCpus(count: number): Promise<boolean> {
  const allowed = await allowedCpus();
  if (allowed === undefined || allowed.length <= count) return false;
  const list = allowed.slice(0, count).join(",");
  try {
    await promisify(execFile)("taskset", ["--all-tasks", "--pid", "--cpu-list", list, String(process.pid)]);
    return true;
  } catch {
    // Without the program, or not on Linux, the limit is each engine's own.
    return false;
  }
}

async function allowedCpus(): Promise<readonly number[] | undefined> {
  const status = await readFile("/proc/self/status", "latin1").catch(() => undefined);
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status ?? "")?.[1];
  return list?.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
