import type { DriverInfo, LeaseInfo } from "../../../node/src/index.ts";
import { printable } from "./cell.ts";
import { runningSetText } from "./library-sets.ts";
import { bytesText, durationText, plural, timeText } from "./units.ts";

/** What there is to say of a driver, for people. */
export function driverFacts(
  driver: DriverInfo,
  { address, tokenFile }: { readonly address: string; readonly tokenFile?: string | undefined },
): [string, string][] {
  const { memory, startTime, leases } = driver;
  const uptime = startTime === undefined ? "" : ` (${durationText(Math.max(0, Date.now() - startTime.getTime()))} ago)`;
  const draining = driver.drainReason === "" ? "" : `: ${printable(driver.drainReason)}`;
  return [
    ["address", address],
    ["token file", tokenFile ?? "-"],
    ["state", `${driver.state}${draining}`],
    ["profile", driver.profile],
    ["pid", String(driver.pid)],
    ["started", `${timeText(startTime)}${uptime}`],
    ["version", `${driver.version} (${driver.apiVersion})`],
    ["instance", driver.instanceId],
    ["fingerprint", driver.fingerprint.slice(0, 16)],
    ["leases", leases.length === 0 ? "none" : leases.map(leaseText).join(", ")],
    ["operations", plural(driver.runningOperations, "operation")],
    ...memoryFacts(memory),
    ...driver.librarySets.map((set): [string, string] => ["library set", runningSetText(set)]),
    ["threads", String(driver.threads)],
    ...(driver.workers === undefined ? [] : [workersFact(driver.workers)]),
    ...driver.pools.map(({ name, size, running, queued, maxQueued }): [string, string] => [
      name,
      `${running} of ${size} busy, ${queued} of ${maxQueued} waiting`,
    ]),
    ["event loop", `p99 ${durationText(driver.eventLoopDelayP99Ms)} late`],
    ...(driver.logFile === "" ? [] : [["log", printable(driver.logFile)] as [string, string]]),
  ];
}

/** What is used is held back from tokens with a scope; a process that answers uses some. */
function memoryFacts(memory: DriverInfo["memory"]): [string, string][] {
  const { processBytes, budgetBytes, residentBytes, residentBudgetBytes } = memory;
  const budget = `budget ${bytesText(budgetBytes)}`;
  if (processBytes === 0) return [["memory", budget]];
  return [
    ["memory", `${bytesText(processBytes)} used, ${budget}`],
    ["datasets", `${bytesText(residentBytes)} of ${bytesText(residentBudgetBytes)} in memory`],
  ];
}

function leaseText({ clientName, clientHost, clientPid }: LeaseInfo): string {
  const where = [clientHost && `on ${printable(clientHost)}`, clientPid > 0 && `pid ${clientPid}`].filter(Boolean);
  return `${printable(clientName)}${where.length === 0 ? "" : ` (${where.join(", ")})`}`;
}

function workersFact({
  now,
  max,
  busy,
  queued,
  bytes,
  workerBytes,
}: NonNullable<DriverInfo["workers"]>): [string, string] {
  const memory = `${bytesText(bytes)} of ${bytesText(max * workerBytes)}`;
  return ["loader workers", `${now} of ${max}, ${busy} work, ${queued} wait, ${memory}`];
}
