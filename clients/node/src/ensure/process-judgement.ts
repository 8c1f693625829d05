import { readFile, readlink, stat } from "node:fs/promises";
import type { AddressFile } from "../address-file.ts";

/** `unknown`: of another boot, pid namespace or host, or nothing that could be compared. Only an answer tells then. */
export type ProcessJudgement = "alive" | "gone" | "unknown";

/** Whether the process that an address file names is still that one. A pid of elsewhere says nothing about it. */
export async function judgeProcess({
  pid,
  bootId,
  pidNamespace,
  startTicks,
}: Pick<AddressFile, "pid" | "bootId" | "pidNamespace" | "startTicks">): Promise<ProcessJudgement> {
  if (bootId === undefined || pidNamespace === undefined || startTicks === undefined) return "unknown";
  const here = await whereWeAre();
  if (here.bootId !== bootId || here.pidNamespace !== pidNamespace) return "unknown";
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (status === undefined) return exists(pid) ? "unknown" : "gone";
  // The program's name in parentheses may hold spaces and parentheses itself.
  const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
  // Dead already, and only its parent does not know yet.
  if (fields[0] === "Z" || fields[0] === "X") return "gone";
  return Number(fields[19]) === startTicks ? "alive" : "gone";
}

/**
 * Whether the word of `writer` may cost a process its life: it must be that user's own. Who can write into a shared data
 * directory could name anybody's otherwise.
 */
export async function isProcessOf(writer: number | undefined, pid: number): Promise<boolean> {
  const owner = await stat(`/proc/${pid}`).catch(() => undefined);
  return writer !== undefined && owner?.uid === writer;
}

/** A mount of /proc with `hidepid` shows no processes of other users; the system still tells that they are there. */
function exists(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

let here: Promise<{ readonly bootId: string | undefined; readonly pidNamespace: string | undefined }> | undefined;

function whereWeAre() {
  here ??= (async () => ({
    bootId: (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => undefined))?.trim(),
    pidNamespace: await readlink("/proc/self/ns/pid").catch(() => undefined),
  }))();
  return here;
}
