import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sendSignal } from "../helpers/driver-processes.ts";
import { gone } from "../helpers/installed.ts";

const script = fileURLToPath(new URL("../../scripts/start.sh", import.meta.url));
let folder: string;
let dataDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover start-"));
  dataDir = join(folder, "data");
});

afterEach(async () => {
  await stopDriver();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

async function start() {
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, DROVER_DATA_DIR: dataDir, DROVER_CACHE_DIR: join(folder, "cache") };
  const child = spawn("sh", [script], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { stdout, stderr, code };
}

async function driverPid(): Promise<number | undefined> {
  const file = await readFile(join(dataDir, "drivers", "default.json"), "utf8").catch(() => undefined);
  return file === undefined ? undefined : JSON.parse(file).pid;
}

/** The driver outlives the script that started it. */
async function stopDriver(): Promise<void> {
  const pid = await driverPid();
  if (pid === undefined) return;
  sendSignal(pid, "SIGTERM");
  await gone(pid);
}

test("npm start loads three million flights, shows an answer and leaves a driver that the next start uses again", {
  timeout: 300_000,
}, async () => {
  const first = await start();
  expect([first.code, first.stderr]).toEqual([0, ""]);
  expect(first.stdout).toMatch(/^Starting a driver$/m);
  expect(first.stdout).toMatch(/flights: version 1, 3,000,000 rows, 5 columns, 106 MB became .* rows\/s, .*MB\/s\)/);
  expect(first.stdout).toMatch(/^hour +flights +avg_delay$/m);
  expect(first.stdout).toMatch(/^ +23 +26470 +35\.589 +█+/m);
  const pid = await driverPid();
  expect(first.stdout).toMatch(new RegExp(`The driver listens on 127\\.0\\.0\\.1:\\d+ \\(process ${pid}\\)`));

  const second = await start();
  expect([second.code, second.stderr]).toEqual([0, ""]);
  expect(second.stdout).toContain("The driver runs already");
  expect(second.stdout).toContain("The dataset flights is loaded already (3,000,000 rows)");
  expect(second.stdout).toMatch(/^ +23 +26470 +35\.589 +█+/m);
  expect(await driverPid()).toBe(pid);
});
