import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readSmallFile } from "../small-file.ts";
import { modesOf } from "./folders.ts";
import type { BackoffOptions } from "./options.ts";

/** The latest start of a profile's driver, as `drivers/<profile>.starts.json` holds it. */
export interface StartsRecord {
  readonly formatVersion: 1;
  /** Failures in a row, as of the end of the latest start where that is known. */
  readonly failures: number;
  /** Milliseconds since 1970. */
  readonly lastStart: number;
  readonly outcome: "starting" | "started" | "failed";
  readonly lastReason: string;
  /** What the profile wanted then (`profileHash`); undefined where that could not be read, and in records of before. */
  readonly profileHash?: string | undefined;
}

export const defaultBackoff: BackoffOptions = {
  freeFailures: 3,
  firstDelayMs: 1_000,
  maxDelayMs: 30_000,
  healthyAfterMs: 60_000,
};

/** How often in a row drivers have failed now, and what is to be waited for because of it. */
export interface Assessment {
  readonly failures: number;
  /** From now; 0 for none. */
  readonly delayMs: number;
  readonly reason: string;
}

/** Whether a record is of a profile that has been changed since, so that it says nothing of the next start. */
export function isOfAnotherProfile({ profileHash }: StartsRecord, now: string | undefined): boolean {
  return profileHash !== undefined && now !== undefined && profileHash !== now;
}

/** `mark` says that the driver of the latest start has not ended properly. */
export function assess(
  record: StartsRecord | undefined,
  mark: boolean,
  now: number,
  { freeFailures, firstDelayMs, maxDelayMs, healthyAfterMs }: BackoffOptions,
): Assessment {
  if (record === undefined) return { failures: 0, delayMs: 0, reason: "" };
  const { failures, reason } = countFailures(record, mark, now, healthyAfterMs);
  if (failures <= freeFailures) return { failures, delayMs: 0, reason };
  const wholeDelayMs = Math.min(firstDelayMs * 2 ** (failures - freeFailures - 1), maxDelayMs);
  // A clock that was set back says nothing, and would go on to say so until it is where it was.
  const delayMs = now < record.lastStart ? 0 : Math.max(record.lastStart + wholeDelayMs - now, 0);
  return { failures, delayMs, reason };
}

function countFailures(record: StartsRecord, mark: boolean, now: number, healthyAfterMs: number) {
  const { failures, outcome, lastReason, lastStart } = record;
  if (outcome === "failed") return { failures, reason: lastReason };
  const ageMs = Math.abs(now - lastStart);
  if (ageMs >= healthyAfterMs || (outcome === "started" && !mark)) return { failures: 0, reason: "" };
  const reason = `the driver that was started ${Math.round(ageMs / 100) / 10} s ago is gone without having ended properly`;
  return { failures: failures + 1, reason };
}

/** Reads the record of a profile; undefined where there is none that can be read. */
export async function readStarts(dataDirectory: string, profile: string): Promise<StartsRecord | undefined> {
  try {
    const record = JSON.parse((await readSmallFile(recordPath(dataDirectory, profile))).text) as StartsRecord;
    const known = record.formatVersion === 1 && Number.isFinite(record.failures) && Number.isFinite(record.lastStart);
    return known ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Only for whoever holds the start lock. */
export async function writeStarts(dataDirectory: string, profile: string, record: StartsRecord): Promise<void> {
  const path = recordPath(dataDirectory, profile);
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, `${JSON.stringify(record)}\n`, { flag: "wx", mode: (await modesOf(dataDirectory)).file });
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
  await removeDrafts(path);
}

/** Of clients that were killed: there is no other writer. */
async function removeDrafts(path: string): Promise<void> {
  const drafts = (await readdir(dirname(path)).catch(() => [])).filter(
    (name) => name.startsWith(`${basename(path)}.`) && name.endsWith(".tmp"),
  );
  // Another user's may stay.
  for (const name of drafts) await rm(join(dirname(path), name), { force: true }).catch(() => {});
}

/** Whether a driver that became ready has not ended properly: it runs, or it crashed. */
export function isMarkedRunning(dataDirectory: string, profile: string): boolean {
  return existsSync(join(dataDirectory, "drivers", `${profile}.running`));
}

function recordPath(dataDirectory: string, profile: string): string {
  return join(dataDirectory, "drivers", `${profile}.starts.json`);
}
