import { DriverError } from "../errors/driver-error.ts";

/** The first descriptor that a service manager hands over: https://www.freedesktop.org/software/systemd/man/sd_listen_fds.html */
const FIRST_DESCRIPTOR = 3;

/**
 * The listening socket that the service manager hands to this process, if it does; what said so leaves the environment.
 * Throws LISTEN_FAILED for more than one.
 */
export function takeHandedSocket(environment: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { LISTEN_FDS: count, LISTEN_PID: owner } = environment;
  // Those of a process before this one, which it forgot to take out, are not ours.
  if (count === undefined || owner !== String(pid)) return undefined;
  for (const name of ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]) delete environment[name];
  if (count === "1") return FIRST_DESCRIPTOR;
  throw new DriverError("LISTEN_FAILED", `the service manager hands over ${count} sockets; the driver serves on one`, {
    metadata: { sockets: count },
  });
}
