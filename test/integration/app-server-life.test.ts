import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Drover, ensureDriver } from "../../clients/node/src/index.ts";
import { driverProgram, type ExampleServer, startExample } from "../helpers/app-server.ts";
import { launchBrowser, launchTimeoutMs } from "../helpers/browser.ts";
import { writeProfile } from "../helpers/driver.ts";

const rowCount = 4800;
const endless =
  "SELECT sum(a.delay * b.delay * c.delay) FROM flights a, flights b, flights c WHERE a.delay <> b.distance";

// Two app servers, two pages and two drivers, one after the other, on two cores.
vi.setConfig({ testTimeout: 240_000 });

let folder: string;
let dataDirectory: string;
let drover: Drover;
let servers: readonly [ExampleServer, ExampleServer];
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-app-server-life-"));
  dataDirectory = join(folder, "data");
  const lines = Array.from({ length: rowCount }, (_, index) => {
    const hour = String(index % 24).padStart(2, "0");
    return `2001-01-01 ${hour}:30:00,${index % 24},500,${["ATL", "ORD"][index % 2]},LAX`;
  });
  await writeFile(join(folder, "flights.csv"), `date,delay,distance,origin,destination\n${lines.join("\n")}\n`);
  await writeProfile(dataDirectory, "default", "[pools.readers]\nsize = 1\n");
  browser = await launchBrowser();
}, launchTimeoutMs);

afterAll(async () => {
  await browser?.close();
  for (const server of servers ?? []) await server.kill();
  if (drover !== undefined) await endDriver();
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

/** The driver belongs to nobody here: whoever came first started it. */
async function endDriver(): Promise<void> {
  const { pid } = await drover.driver();
  await drover.close();
  process.kill(pid, "SIGKILL");
  while (isAlive(pid)) await delay(20);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function openPage({ url }: ExampleServer): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  await page.getByLabel("Your name").fill("Ann");
  await page.getByRole("button", { name: "Log in" }).click();
  return page;
}

async function expectAnswer(page: Page): Promise<void> {
  await page.locator("#status", { hasText: "rows read" }).waitFor({ timeout: 60_000 });
  const values = await page
    .locator("g.slot")
    .evaluateAll((nodes) =>
      nodes.map((node) => Number((node as unknown as { dataset: { value: string } }).dataset.value)),
    );
  expect(values).toEqual(Array.from({ length: 24 }, (_, hour) => hour));
  expect(await page.getByRole("alert").isHidden()).toBe(true);
}

test("two app servers that start at once, where nothing runs, share the driver that one of them starts", async () => {
  const env = { DROVER_DATA_DIR: dataDirectory };
  servers = await Promise.all([startExample(env), startExample(env)]);
  expect(servers[0].instanceId).toBe(servers[1].instanceId);
  drover = await ensureDriver({ dataDirectory, program: driverProgram, lease: { name: "test" } });
  expect(drover.instanceId).toBe(servers[0].instanceId);
  await expect.poll(async () => (await drover.driver()).leases.length).toBe(3);
  await (await drover.load("flights", { uri: join(folder, "flights.csv") })).result();
  for (const server of servers) await expectAnswer(await openPage(server));
});

test("nobody at a page notices that the driver is killed under their question", async () => {
  const pages = await Promise.all(servers.map(openPage));
  for (const page of pages) await expectAnswer(page);
  const { pid, instanceId } = await drover.driver();
  const leave = new AbortController();
  const busy = drover.sql(endless, { signal: leave.signal });
  const ended = busy.rows().catch(() => undefined);
  while ((await drover.operation(busy.operationId).catch(() => undefined))?.state !== "running") await delay(10);
  for (const page of pages) await page.getByLabel("Weekday").check();
  for (const page of pages) await page.getByLabel("Hour").check();
  await expect.poll(waiting).toBe(2);
  process.kill(pid, "SIGKILL");
  await expect.poll(() => drover.instanceId !== instanceId, { timeout: 60_000 }).toBe(true);
  // It would run again on the next driver, or does so already.
  leave.abort();
  for (const page of pages) await expectAnswer(page);
  await ended;
  expect((await drover.driver()).instanceId).not.toBe(instanceId);
  await expect.poll(async () => (await drover.driver()).leases.length).toBe(3);
  for (const page of pages) await page.context().close();
});

async function waiting(): Promise<number> {
  let count = 0;
  for await (const { state } of drover.operations({ kinds: ["query"], states: ["pending"] }))
    if (state === "pending") count += 1;
  return count;
}
