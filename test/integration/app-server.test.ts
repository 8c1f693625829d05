import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { connect, type Drover, type Operation } from "../../clients/node/src/index.ts";
import { type ExampleServer, startExample } from "../helpers/app-server.ts";
import { launchBrowser, launchTimeoutMs } from "../helpers/browser.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

const origins = ["ATL", "ORD", "JFK"];
const flights = Array.from({ length: 6000 }, (_, index) => ({
  hour: index % 24,
  day: (index % 28) + 1,
  delay: ((index * 7) % 90) - 20,
  origin: origins[index % 3] ?? "",
}));
/** Keeps the only reader busy until it is cancelled. */
const endless =
  "SELECT sum(a.delay * b.delay * c.delay) FROM flights a, flights b, flights c WHERE a.delay <> b.distance";

let folder: string;
let driver: TestDriver;
let drover: Drover;
let servers: readonly [ExampleServer, ExampleServer];
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-app-server-"));
  const lines = flights.map(({ hour, day, delay: late, origin }) => {
    const time = `2001-01-${String(day).padStart(2, "0")} ${String(hour).padStart(2, "0")}:30:00`;
    return `${time},${late},500,${origin},LAX`;
  });
  await writeFile(join(folder, "flights.csv"), `date,delay,distance,origin,destination\n${lines.join("\n")}\n`);
  driver = await startDriver({ config: "[pools.readers]\nsize = 1\n" });
  drover = await connect(driver);
  await (await drover.load("flights", { uri: join(folder, "flights.csv") })).result();
  servers = await Promise.all([startExample(env()), startExample(env())]);
  browser = await launchBrowser();
}, launchTimeoutMs);

afterAll(async () => {
  await browser?.close();
  for (const server of servers ?? []) await server.kill();
  await drover?.close();
  await driver?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function env(): Record<string, string> {
  return { DROVER_DATA_DIR: driver.dataDir };
}

const countByOrigin = {
  question: {
    aggregate: {
      dataset: "flights",
      dimensions: [{ column: "origin" }],
      measures: [{ op: "MEASURE_OP_COUNT" }, { op: "MEASURE_OP_AVG", column: "delay", alias: "delay" }],
    },
  },
};

function expectedByHour(origin?: string): Map<number, number> {
  const groups = Map.groupBy(
    flights.filter((flight) => origin === undefined || flight.origin === origin),
    ({ hour }) => hour,
  );
  return new Map(
    [...groups].map(([hour, rows]) => [hour, rows.reduce((sum, row) => sum + row.delay, 0) / rows.length]),
  );
}

async function queriesSince(start: ReadonlySet<string>): Promise<readonly Operation[]> {
  const found: Operation[] = [];
  for await (const operation of drover.operations({ kinds: ["query"] }))
    if (!start.has(operation.id)) found.push(operation);
  return found;
}

async function queryIds(): Promise<ReadonlySet<string>> {
  return new Set((await queriesSince(new Set())).map(({ id }) => id));
}

describe("two app servers", () => {
  test("share one driver", () => {
    const [one, two] = servers;
    expect([one.instanceId, two.instanceId]).toEqual([driver.instanceId, driver.instanceId]);
    expect(one.url).not.toBe(two.url);
  });

  test("answer in JSON to whoever is logged in, and name the user to the driver", async () => {
    for (const [index, server] of servers.entries()) {
      const before = await queryIds();
      const user = `Ann ${index}`;
      const { status, text } = await server.call("QueryService/Query", countByOrigin, await server.login(user));
      expect([status, JSON.parse(text).rows.map(({ values }: { values: unknown[] }) => values.slice(0, 2))]).toEqual([
        200,
        [
          ["ATL", "2000"],
          ["JFK", "2000"],
          ["ORD", "2000"],
        ],
      ]);
      expect((await queriesSince(before)).map(({ requestedBy }) => requestedBy)).toEqual([user]);
    }
  });

  test("answer nothing to who is not, not even with another server's session", async () => {
    const [one, two] = servers;
    const stolen = await two.login("Ann");
    for (const cookie of ["", "toy-session=x", stolen]) {
      const { status, text } = await one.call("QueryService/Query", countByOrigin, cookie);
      expect([status, text]).toEqual([401, expect.stringContaining("LOGIN_REQUIRED")]);
      for (const path of ["/events", "/app.js", "/me", "/nothing"])
        expect((await fetch(one.url + path, { headers: { cookie } })).status).toBe(401);
      expect(await (await fetch(one.url, { headers: { cookie } })).text()).toContain("This login is a toy");
    }
  });

  test("keep SQL, operations, loads and the driver's life to themselves", async () => {
    const cookie = await servers[0].login("Ann");
    const forbidden = {
      "QueryService/Query": { question: { sql: { sql: "SELECT 1" } } },
      "OperationService/ListOperations": {},
      "DatasetService/LoadDataset": { dataset: "mine", source: { uri: "/etc/passwd", format: "csv" } },
      "DatasetService/DeleteDataset": { dataset: "flights" },
      "DatasetService/RefreshDataset": { dataset: "flights" },
      "QueryService/ListRows": { dataset: "flights", freshness: { maxAge: "0s" } },
      "QueryService/ExplainQuery": {
        question: { aggregate: { ...countByOrigin.question.aggregate, freshness: { maxAge: "0s", allowStale: true } } },
      },
      "DriverService/GetDriver": {},
    };
    for (const [method, request] of Object.entries(forbidden))
      expect([method, (await servers[0].call(method, request, cookie)).status]).toEqual([method, 403]);
    for (const method of ["Drain", "Stop", "Attach", "ProveIdentity"])
      expect((await servers[0].call(`DriverService/${method}`, {}, cookie)).status).toBe(404);
  });

  test("tell how fresh a dataset is, but not why its source can't be read", async () => {
    const file = join(folder, "passing.csv");
    await writeFile(file, "a\n1\n");
    await (await drover.load("passing", { uri: file })).result();
    await rm(file);
    await expect((await drover.refresh("passing")).result()).rejects.toMatchObject({ reason: "SOURCE_NOT_FOUND" });
    await expect.poll(async () => (await drover.dataset("passing")).refresh?.lastError?.message).toContain(file);
    const cookie = await servers[0].login("Ann");
    const { status, text } = await servers[0].call("DatasetService/GetDataset", { dataset: "passing" }, cookie);
    expect([status, JSON.parse(text).dataset.refresh]).toEqual([
      200,
      expect.objectContaining({ failures: 1, freshTime: expect.any(String) }),
    ]);
    expect(text).not.toContain(folder);
    // Nor where the version can't be read any more, and not be made again.
    await drover.setStorageLevel("passing", "disk");
    const datasets = join(driver.dataDir, "datasets");
    const manifests = (await readdir(datasets, { recursive: true })).filter((path) => path.endsWith(".json"));
    for (const path of manifests)
      if ((await readFile(join(datasets, path), "utf8")).includes(file))
        await rm(join(datasets, path, ".."), { recursive: true });
    const rows = await servers[0].call("QueryService/ListRows", { dataset: "passing" }, cookie);
    expect(rows.text).toContain('"rebuildReason":"SOURCE_NOT_FOUND"');
    for (const path of [folder, driver.dataDir]) expect(rows.text).not.toContain(path);
  });

  test("tell errors with their reason, what to do and the field at fault", async () => {
    const question = { aggregate: { dataset: "flights", dimensions: [{ column: "orgin" }] } };
    const { status, text } = await servers[0].call("QueryService/Query", { question }, await servers[0].login("Ann"));
    const error = JSON.parse(text);
    expect([status, error.code]).toEqual([expect.any(Number), expect.stringMatching(/^[a-z_]+$/)]);
    const details = Object.fromEntries(
      error.details.map(({ type, debug }: { type: string; debug: object }) => [type, debug]),
    );
    expect(details["google.rpc.ErrorInfo"]).toMatchObject({ reason: "UNKNOWN_COLUMN", domain: "drover.dev" });
    expect(details["google.rpc.BadRequest"].fieldViolations[0].field).toBe("question.aggregate.dimensions[0].column");
    expect(details["google.rpc.Help"].links[0].description).not.toBe("");
  });

  test("live through requests that are none", async () => {
    const cookie = await servers[0].login("Ann");
    const paths = ["//", "//[", "/%", "/api/", "/api/drover.v1.QueryService/Nothing", "/../../etc/passwd", "http://[/"];
    for (const path of paths) expect([path, await statusOf(servers[0], path, { cookie })]).toEqual([path, 404]);
    for (const path of ["/api/drover.v1.QueryService/Query", "/"])
      expect(await statusOf(servers[0], path, { cookie, host: "[" })).toBeLessThan(500);
    const long = await fetch(`${servers[0].url}/login`, { method: "POST", body: `user=${"x".repeat(100_000)}` });
    expect(long.status).toBe(400);
    expect((await servers[0].call("QueryService/Query", countByOrigin, cookie)).status).toBe(200);
  });
});

/** Asks for a path as it stands: fetch would mend it. */
async function statusOf({ url }: ExampleServer, path: string, headers: Record<string, string>): Promise<number> {
  const sent = request({ host: "127.0.0.1", port: new URL(url).port, path, headers, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

describe("server-sent events", () => {
  test("bring the same answer", async () => {
    const [, server] = servers;
    const cookie = await server.login("Eve");
    const response = await fetch(`${server.url}/events?origin=ORD`, { headers: { cookie } });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const events = [...(await response.text()).matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(
      ([, name = "", data = ""]) => [name, JSON.parse(data)] as const,
    );
    expect(events.map(([name]) => name).filter((name) => name !== "progress")).toEqual([
      "accepted",
      "frame",
      "completed",
    ]);
    const { frame } = Object.fromEntries(events).frame;
    expect(new Map(frame.values.map(([hour, , late]: number[]) => [hour, late]))).toEqual(expectedByHour("ORD"));
  });

  test("that nobody reads on cancel their query", async () => {
    await using _busy = await busyReader();
    const before = await queryIds();
    const leave = new AbortController();
    const cookie = await servers[0].login("Eve");
    await fetch(`${servers[0].url}/events?origin=ORD`, { headers: { cookie }, signal: leave.signal });
    await expect.poll(async () => (await queriesSince(before)).length).toBe(1);
    leave.abort();
    await expect.poll(async () => (await queriesSince(before))[0]?.state).toBe("cancelled");
  });
});

/** While it is there, queries wait. */
async function busyReader(): Promise<AsyncDisposable & { readonly id: string }> {
  const query = drover.sql(endless);
  const ended = query.rows().catch(() => undefined);
  while ((await drover.operation(query.operationId).catch(() => undefined))?.state !== "running") await delay(10);
  return {
    id: query.operationId,
    [Symbol.asyncDispose]: async () => {
      await drover.cancel(query.operationId).catch(() => {});
      await ended;
    },
  };
}

describe("the page", () => {
  const pages: Page[] = [];

  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
  });

  async function openPage(server: ExampleServer, user = "Ann"): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1100, height: 800 } });
    const page = await context.newPage();
    pages.push(page);
    await page.goto(server.url);
    await page.getByLabel("Your name").fill(user);
    await page.getByRole("button", { name: "Log in" }).click();
    return page;
  }

  /** The bars by their labels. */
  async function bars(page: Page): Promise<ReadonlyMap<string, number>> {
    const found = await page.locator("g.slot").evaluateAll((nodes) =>
      nodes.map((node): [string, number] => {
        const { label = "", value = "" } = (node as unknown as { dataset: Record<string, string> }).dataset;
        return [label, value === "" ? Number.NaN : Number(value)];
      }),
    );
    return new Map(found);
  }

  async function answered(page: Page): Promise<void> {
    await page.locator("#status", { hasText: "rows read" }).waitFor({ timeout: 30_000 });
  }

  function expectHours(shown: ReadonlyMap<string, number>, expected: ReadonlyMap<number, number>): void {
    expect([...shown.keys()]).toEqual(Array.from({ length: 24 }, (_, hour) => `${hour}:00`));
    for (const [label, value] of shown) {
      const wanted = expected.get(Number.parseInt(label, 10));
      if (wanted === undefined) expect(value).toBeNaN();
      else expect(value).toBeCloseTo(wanted, 9);
    }
  }

  test("draws bars with the right numbers, as high as they say", async () => {
    for (const server of servers) {
      const page = await openPage(server);
      await answered(page);
      expectHours(await bars(page), expectedByHour());
      expect(await page.locator("#title").textContent()).toBe("Average delay from all airports by hour");
      expect(await page.locator("#status").textContent()).toContain("6,000 flights");
      await page.getByLabel("ORD").check();
      await page.locator("#title", { hasText: "ORD" }).waitFor();
      await answered(page);
      expectHours(await bars(page), expectedByHour("ORD"));
      await page.getByLabel("Weekday").check();
      await page.getByLabel("Flights", { exact: true }).check();
      await page.locator('g.slot[data-label="Sun"]').waitFor();
      await answered(page);
      const byDay = await bars(page);
      expect([...byDay.keys()]).toEqual(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
      expect([...byDay.values()].reduce((sum, value) => sum + value, 0)).toBe(2000);
      await expect.poll(async () => new Set(await heightsPerFlight(page)).size, { timeout: 10_000 }).toBe(1);
    }
  });

  /** How many tenths of pixels each bar has for a flight, once the bars have grown to their heights. */
  async function heightsPerFlight(page: Page): Promise<readonly number[]> {
    return page.locator("g.slot").evaluateAll((nodes) =>
      nodes.map((node) => {
        const bar = node.querySelector(".bar")?.getBoundingClientRect().height ?? 0;
        return Math.round((bar / Number((node as unknown as { dataset: { value: string } }).dataset.value)) * 100);
      }),
    );
  }

  test("leaves one answer and no query behind when an analyst clicks too fast", async () => {
    const page = await openPage(servers[0], "Hasty");
    await answered(page);
    await page.getByLabel("ATL").waitFor();
    const before = await queryIds();
    {
      await using busy = await busyReader();
      const choices = ["ATL", "ORD", "JFK", "All airports", "ORD", "JFK"];
      for (const [index, choice] of choices.entries()) {
        await page.getByLabel(choice).check();
        // Each one reaches the driver before the next click.
        await expect.poll(async () => (await asked(before, busy.id)).length).toBe(index + 1);
        // And those before are given up by then, or soon.
        await expect
          .poll(async () => (await asked(before, busy.id)).map(({ state }) => state))
          .toEqual(["pending", ...Array.from({ length: index }, () => "cancelled")]);
      }
      // Faster than any answer: of these only the last is asked at all.
      await page.evaluate(
        `for (const value of ["ATL", "ORD", ""]) document.querySelector(\`input[name=origin][value="\${value}"]\`).click()`,
      );
      // Else the reader may come free before the question that is given up is cancelled, and answer it.
      await expect
        .poll(async () => (await asked(before, busy.id)).map(({ state }) => state))
        .toEqual(["pending", ...Array.from({ length: 6 }, () => "cancelled")]);
    }
    await answered(page);
    await page.locator("#title", { hasText: "all airports" }).waitFor();
    expectHours(await bars(page), expectedByHour());
    expect(await page.getByRole("alert").isHidden()).toBe(true);
    await expect
      .poll(
        async () =>
          (await asked(before)).filter(({ requestedBy }) => requestedBy === "Hasty").map(({ state }) => state),
        { timeout: 20_000 },
      )
      .toEqual(["succeeded", ...Array.from({ length: 6 }, () => "cancelled")]);
  });

  async function asked(before: ReadonlySet<string>, except = ""): Promise<readonly Operation[]> {
    return (await queriesSince(before)).filter(({ id }) => id !== except);
  }

  test("shows that it waits, and cancels when the tab is closed", async () => {
    await using busy = await busyReader();
    const before = await queryIds();
    const page = await openPage(servers[1]);
    await page.getByRole("progressbar").waitFor();
    await expect.poll(async () => (await asked(before, busy.id)).length).toBeGreaterThan(0);
    await page.close();
    await expect
      .poll(async () => (await asked(before, busy.id)).every(({ state }) => state === "cancelled"))
      .toBe(true);
  });

  test("says in words what went wrong, and asks again", async () => {
    const page = await openPage(servers[0]);
    await answered(page);
    // They are asked for by a question of their own.
    await page.getByLabel("JFK").waitFor();
    await drover.deleteDataset("flights");
    await page.getByLabel("JFK").check();
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/flights/);
    expect(await page.locator("#status").textContent()).toBe("DATASET_NOT_FOUND");
    expect(await page.locator("#chart").isHidden()).toBe(true);
    await (await drover.load("flights", { uri: join(folder, "flights.csv") })).result();
    await alert.getByRole("button", { name: "Ask again" }).click();
    await answered(page);
    expectHours(await bars(page), expectedByHour("JFK"));
    expect(await alert.isHidden()).toBe(true);
  });

  test("fits narrow and wide screens and shows a bar's numbers under the pointer", async () => {
    const page = await openPage(servers[0]);
    await answered(page);
    for (const width of [320, 390, 768, 1600]) {
      await page.setViewportSize({ width, height: 800 });
      // The chart is drawn anew once it has noticed its new width.
      await expect
        .poll(() => page.evaluate("document.querySelector('svg').viewBox.baseVal.width - chart.clientWidth"))
        .toBe(0);
      const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
      await expect.poll(async () => [width, await page.evaluate(overflow)]).toEqual([width, 0]);
      await page.locator('g.slot[data-label="5:00"]').hover();
      const tip = page.locator(".tip", { hasText: /^5:00\b/ });
      await tip.waitFor();
      expect(await tip.textContent()).toContain("5:00\nAverage delay: ");
      expect(await tip.textContent()).toContain("Flights: 250");
    }
  });

  test("gets no token, no address of the driver and no path of its machine", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    pages.push(page);
    const bodies: Promise<string>[] = [];
    const complaints: string[] = [];
    page.on("response", (response) => {
      bodies.push(
        response.text().then(
          (body) => JSON.stringify(response.headers()) + body,
          () => "",
        ),
      );
    });
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(servers[0].url);
    await page.getByLabel("Your name").fill("<b>Ann & Jürgen</b>");
    await page.getByRole("button", { name: "Log in" }).click();
    await answered(page);
    await page.getByLabel("ORD").check();
    await answered(page);
    expect(await page.locator("#user").textContent()).toBe("<b>Ann & Jürgen</b>");
    const received = (await Promise.all(bodies)).join("\n");
    expect(received.length).toBeGreaterThan(100_000);
    for (const secret of [driver.token, driver.address, driver.dataDir, folder]) expect(received).not.toContain(secret);
    expect(complaints).toEqual([]);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Your name").waitFor();
  });

  test("of one app server works on when the other is killed", async () => {
    const doomed = await startExample(env());
    const page = await openPage(servers[1]);
    await answered(page);
    const left = await openPage(doomed);
    await answered(left);
    await left.getByLabel("ATL").waitFor();
    await doomed.kill();
    await page.getByLabel("ATL").check();
    await page.locator("#title", { hasText: "ATL" }).waitFor();
    await answered(page);
    expectHours(await bars(page), expectedByHour("ATL"));
    await left.getByLabel("ATL").check();
    await left.getByRole("alert").waitFor();
    expect(await left.locator("#status").textContent()).toBe("UNREACHABLE");
  });
});
