import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const POLICY = "/usr/sbin/policy-rc.d";
const FORBIDS_STARTS = "#!/bin/sh\nexit 101\n";
const LOCK_WAIT_S = 300;

/**
 * Finds a program of a Debian package; installs the package where this process may. Throws with what to install otherwise.
 * The service that the package brings is not started.
 */
export async function programOf(
  name: string,
  options: { readonly package: string; readonly folders?: readonly string[]; readonly service?: string },
) {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/bin", ...(options.folders ?? [])];
  return fromPackage(name, options, () =>
    firstAccessible(
      folders.map((folder) => `${folder}/${name}`),
      constants.X_OK,
    ),
  );
}

/** A file that a Debian package brings; installs the package where this process may. Throws with what to install otherwise. */
export async function fileOfPackage(path: string, packageName: string): Promise<string> {
  return fromPackage(path, { package: packageName }, () => firstAccessible([path], constants.R_OK));
}

async function fromPackage(
  what: string,
  origin: { readonly package: string; readonly service?: string },
  find: () => Promise<string | undefined>,
): Promise<string> {
  const found = await find();
  if (found !== undefined) return found;
  const advice = `the tests need ${what}: install it with \`apt-get install -y --no-install-recommends ${origin.package}\``;
  if (process.getuid?.() !== 0) throw new Error(advice);
  await install(origin.package, origin.service).catch((error: unknown) => {
    throw new Error(`${advice} (tried: ${error instanceof Error ? error.message : error})`);
  });
  const installed = await find();
  if (installed === undefined) throw new Error(advice);
  return installed;
}

async function install(packageName: string, service: string | undefined): Promise<void> {
  // An administrator's own policy stands; where there is none, this one keeps the package from starting its service.
  const ownPolicy = await writeFile(POLICY, FORBIDS_STARTS, { mode: 0o755, flag: "wx" }).then(
    () => true,
    () => false,
  );
  const apt = (...args: readonly string[]) =>
    run("apt-get", ["-o", `DPkg::Lock::Timeout=${LOCK_WAIT_S}`, ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      maxBuffer: 64 * 1024 * 1024,
    });
  const install = () => apt("install", "-y", "--no-install-recommends", packageName);
  try {
    await install().catch(async () => {
      await apt("update");
      await install();
    });
  } finally {
    if (ownPolicy) await rm(POLICY, { force: true });
    else if (service !== undefined) await run("service", [service, "stop"]).catch(() => undefined);
  }
}

async function firstAccessible(paths: readonly string[], mode: number): Promise<string | undefined> {
  for (const path of paths) {
    const usable = await access(path, mode).then(
      () => true,
      () => false,
    );
    if (usable) return path;
  }
  return undefined;
}
