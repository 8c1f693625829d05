import { DriverError } from "../errors/driver-error.ts";
import type { AddressFile } from "./address-file.ts";

const PROBE_TIMEOUT_MS = 2_000;

/**
 * Throws ALREADY_RUNNING if the driver that an address file names is alive: it answers there under its instance id.
 * Another process that was given the port since does not know that id.
 */
export async function refuseIfAlive(file: string, content: AddressFile | undefined): Promise<void> {
  if (content === undefined || !(await isAlive(content))) return;
  const { profile, address, pid, instanceId } = content;
  throw new DriverError(
    "ALREADY_RUNNING",
    `driver ${instanceId} (pid ${pid}) of the profile ${JSON.stringify(profile)} answers at ${address}, as ${file} says`,
    { metadata: { profile, address, pid: String(pid), instanceId, file } },
  );
}

async function isAlive({ address, tls, pid, instanceId }: AddressFile): Promise<boolean> {
  // Most starts find no address file.
  const { request: send } = await (tls ? import("node:https") : import("node:http"));
  // Only the id is read: nothing is proved to whoever answers, so its certificate needs no check.
  const options = { method: "GET", timeout: PROBE_TIMEOUT_MS, agent: false, rejectUnauthorized: false };
  return new Promise((resolve) => {
    const request = send(`${tls ? "https" : "http"}://${address}/healthz`, options);
    request.once("response", (response) => {
      resolve(response.headers["drover-instance-id"] === instanceId);
      response.destroy();
    });
    request.once("timeout", () => request.destroy());
    // A driver that demands client certificates refuses this one after the handshake: then the process tells.
    request.once("error", (error: NodeJS.ErrnoException) => resolve(isTlsRefusal(error) && processExists(pid)));
    request.end();
  });
}

function isTlsRefusal({ code }: NodeJS.ErrnoException): boolean {
  return code?.startsWith("ERR_SSL") === true;
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
