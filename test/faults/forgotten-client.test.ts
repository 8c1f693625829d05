import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ensureDriver } from "../../clients/node/src/index.ts";
import { startDriver } from "../helpers/driver.ts";

const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const program = join(import.meta.dirname, "programs", "forgets-to-close.ts");

function start(driver: { readonly address: string; readonly token: string }, ...args: readonly string[]) {
  // So that this package's own sources are what it imports.
  const flags = ["--conditions=drover-source", program, driver.address, driver.token, ...args];
  const child = spawn(node, flags, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, exited: once(child, "exit"), line: async () => (await lines.next()).value };
}

test("a program that forgets to close its client can end, and its lease ends with it", async () => {
  await using driver = await startDriver();
  const { exited, line } = start(driver);
  expect(await line()).toBe("attached");
  expect(await exited).toEqual([0, null]);
  await using drover = await ensureDriver({ address: driver.address, token: driver.token, lease: false });
  await expect.poll(async () => (await drover.driver()).leases).toEqual([]);
});

test("a program that reads the driver's events stays, and one that is killed loses its lease", async () => {
  await using driver = await startDriver();
  await using drover = await ensureDriver({ address: driver.address, token: driver.token, lease: false });
  const { child, exited, line } = start(driver, "read");
  expect([await line(), await line()]).toEqual(["attached", "attached"]);
  expect((await drover.driver()).leases).toMatchObject([{ clientName: "forgetful", clientPid: child.pid }]);
  await drover.drain({ reason: "test", timeoutMs: 1_000 });
  // It lives to read what happens later.
  expect(await line()).toBe("draining");
  child.kill("SIGKILL");
  expect(await exited).toEqual([null, "SIGKILL"]);
});
