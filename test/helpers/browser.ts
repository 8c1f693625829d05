import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { promisify } from "node:util";
import { type Browser, chromium } from "playwright-core";

const run = promisify(execFile);
const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const installTimeoutMs = 8 * 60_000;
/** For the hook that launches it: the first time on a machine it may have to be installed. */
export const launchTimeoutMs = installTimeoutMs + 60_000;

/** A headless Chromium: the machine's own, or Debian's package, which is installed where there is none. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = (await find()) ?? (await install());
  // Chromium has no sandbox for root.
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

async function find(): Promise<string | undefined> {
  for (const place of places) if (await isExecutable(place)) return place;
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function install(): Promise<string> {
  const options = { timeout: installTimeoutMs / 2, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  try {
    await run("apt-get", ["update"], options);
    await run("apt-get", ["install", "--yes", "--no-install-recommends", "chromium"], options);
  } catch (cause) {
    throw new Error("the tests of the page need Chromium, and Debian's package `chromium` can't be installed here", {
      cause,
    });
  }
  const installed = await find();
  if (installed === undefined)
    throw new Error(`the package chromium is installed, and there is none of ${places.join(", ")}`);
  return installed;
}
