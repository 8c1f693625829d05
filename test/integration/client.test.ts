import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  avg,
  connect,
  connectByAddressFile,
  count,
  countDistinct,
  type Drover,
  DroverError,
  dim,
  max,
  median,
  sum,
  where,
} from "../../clients/node/src/index.ts";
import { makeCertificate } from "../helpers/certificates.ts";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

const rowCount = 300_000;
let folder: string;
let driver: TestDriver;
let drover: Drover;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-client-"));
  const lines = Array.from(
    { length: rowCount },
    (_, n) => `${n},${n % 10},2024-01-${String((n % 28) + 1).padStart(2, "0")},${n % 3 === 0 ? "" : n / 4}`,
  );
  await writeFile(join(folder, "numbers.csv"), `n,k,day,x\n${lines.join("\n")}\n`);
  driver = await startDriver();
  drover = await connect(driver);
  await (await drover.load("numbers", { uri: join(folder, "numbers.csv") }, { labels: { kind: "test" } })).result();
});

afterAll(async () => {
  await drover?.close();
  await driver?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

describe("connecting", () => {
  test("by the address file finds the driver of the profile", async () => {
    await using found = await connectByAddressFile({ dataDirectory: driver.dataDir });
    expect(await found.driver()).toMatchObject({ instanceId: driver.instanceId, pid: driver.pid, state: "serving" });
    expect(found.instanceId).toBe(driver.instanceId);
  });

  test("without or with a wrong token is refused and not worth another try", async () => {
    const help = expect.stringMatching(/\w/);
    const without = await failure(connect({ address: driver.address }));
    expect(without).toMatchObject({ reason: "UNAUTHENTICATED", retryable: false, help });
    // It is not even shown: the driver can't prove that it knows it.
    const wrong = await failure(connect({ address: driver.address, token: "wrong" }));
    expect(wrong).toMatchObject({ reason: "DRIVER_NOT_PROVEN", retryable: false, help });
    const error = await failure(connect({ address: driver.address, tokenFile: join(folder, "nothing") }));
    expect(error.reason).toBe("UNREADABLE_TOKEN");
  });

  test.each([
    ["that is not there", undefined],
    ["that is no JSON", () => "{"],
    ["of another format", (content: object) => JSON.stringify({ ...content, formatVersion: 99 })],
    ["of a process that is gone", (content: object) => JSON.stringify({ ...content, pid: 2 ** 22 })],
  ])("by an address file %s is DRIVER_NOT_FOUND", async (_name, change) => {
    const dataDirectory = await mkdtemp(join(folder, "data-"));
    const content = JSON.parse(await readFile(join(driver.dataDir, "drivers", "default.json"), "utf8"));
    await mkdir(join(dataDirectory, "drivers"));
    if (change !== undefined) await writeFile(join(dataDirectory, "drivers", "default.json"), change(content));
    expect((await failure(connectByAddressFile({ dataDirectory }))).reason).toBe("DRIVER_NOT_FOUND");
  });
});

test("a driver with TLS is trusted by its certificate and asks for this client's", async () => {
  const authority = makeCertificate("authority");
  const server = makeCertificate("driver", authority);
  const client = makeCertificate("client", authority);
  const files = { "ca.pem": authority.cert, "server.pem": server.cert, "server.key": server.key };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const flags = { "--tls-cert-file": "server.pem", "--tls-key-file": "server.key", "--tls-client-ca-file": "ca.pem" };
  const args = Object.entries(flags).flatMap(([flag, name]) => [flag, join(folder, name)]);
  await using secured = await startDriver({ args });
  const { address, token, dataDir: dataDirectory } = secured;
  const tls = { ca: authority.cert, cert: client.cert, key: client.key };
  await using byFile = await connectByAddressFile({ dataDirectory, tls });
  expect((await byFile.driver()).state).toBe("serving");
  for (const wrong of [undefined, {}, { ca: authority.cert }])
    expect((await failure(connect({ address, token, tls: wrong }, { timeoutMs: 5_000 }))).reason).toMatch(
      /^(UNREACHABLE|UNAUTHENTICATED|DEADLINE_EXCEEDED)$/,
    );
});

describe("queries", () => {
  const spec = {
    dimensions: ["k"],
    measures: [count(), sum("n"), avg("x"), countDistinct("day")],
    where: where("k").lessThan(2),
  };

  test("answer with exact values", async () => {
    const rows = await drover.query("numbers", spec).rows();
    expect(rows).toEqual(
      [0, 1].map((k) => expect.objectContaining({ k: BigInt(k), count: 30_000n, count_distinct_day: 14n })),
    );
    expect(rows[1]?.sum_n).toBe(4_499_880_000n);
    const [first] = await drover.query("numbers", spec, { integers: "number" }).rows<{ count: number }>();
    expect(first?.count).toBe(30_000);
  });

  test("answer alike as rows and as Arrow", async () => {
    const question = { dimensions: ["k", dim("day").month().as("month")], measures: [max("n"), median("x")] };
    const rows = await drover.query("numbers", question).rows();
    const table = await drover.query("numbers", question).table();
    expect(table.numRows).toBe(rows.length);
    expect([...(table.getChild("max_n") ?? [])]).toEqual(rows.map((row) => row.max_n));
    expect([...(table.getChild("median_x") ?? [])]).toEqual(rows.map((row) => row.median_x));
    const chunks: Uint8Array[] = [];
    for await (const chunk of drover.query("numbers", question).arrow()) chunks.push(chunk);
    expect(tableFromIPC(Buffer.concat(chunks)).numRows).toBe(rows.length);
  });

  test("tell their life in order", async () => {
    const query = drover.query("numbers", spec, { operationId: "my-query-1", labels: { chart: "7" } });
    const events: string[] = [];
    for await (const event of query) {
      events.push(event.type);
      if (event.type === "accepted") expect(event.operationId).toBe("my-query-1");
      if (event.type === "completed") expect(event.summary).toMatchObject({ rows: 2, versions: { numbers: 1 } });
    }
    expect(events.filter((type) => type !== "progress")).toEqual(["accepted", "frame", "completed"]);
    const found = await drover.operation("my-query-1");
    expect(found).toMatchObject({ kind: "query", state: "succeeded", dataset: "numbers", labels: { chart: "7" } });
    // The same question is the same query; another one can't have its id.
    expect(await drover.query("numbers", spec, { operationId: "my-query-1" }).rows()).toHaveLength(2);
    const other = await failure(drover.sql("SELECT 1", { operationId: "my-query-1" }).rows());
    expect(other.reason).toBe("OPERATION_EXISTS");
  });

  test("of any size come by batch", async () => {
    let rows = 0;
    let total = 0n;
    for await (const event of drover.sql("SELECT n FROM numbers").stream()) {
      if (event.type !== "batch") continue;
      rows += event.batch.values.length;
      for (const [n] of event.batch.values) total += n as bigint;
    }
    expect(rows).toBe(rowCount);
    expect(total).toBe((BigInt(rowCount) * BigInt(rowCount - 1)) / 2n);
  });

  test("take SQL with parameters", async () => {
    const query = drover.sql("SELECT count(*) AS c FROM numbers WHERE k = $1 AND day >= $2", {
      parameters: [3, "2024-01-15"],
    });
    const [row] = await query.rows();
    expect(row?.c).toBeTypeOf("bigint");
  });

  test("are explained without running", async () => {
    const explanation = await drover.explain("numbers", spec);
    expect(explanation.columns.map(({ name }) => name)).toEqual(["k", "count", "sum_n", "avg_x", "count_distinct_day"]);
    expect(explanation.plan).toBeTypeOf("object");
    expect((await drover.explainSql({ sql: "SELECT 1 AS one" })).statement).toContain("1");
  });

  test("that ask for what is not there say so", async () => {
    expect(await failure(drover.query("nobody", spec).rows())).toMatchObject({ reason: "DATASET_NOT_FOUND", code: 5 });
    const error = await failure(drover.query("numbers", { dimensions: ["kk"], measures: [count()] }).rows());
    expect(error.violations[0]?.field).toMatch(/dimensions\[0\]/);
  });
});

describe("cancelling", () => {
  const slow = "SELECT sum(a.n * b.n) FROM numbers a, numbers b WHERE a.n <> b.k";

  async function untilRunning(id: string): Promise<void> {
    while ((await drover.operation(id).catch(() => undefined))?.state !== "running") await delay(10);
  }

  async function untilCancelled(id: string): Promise<void> {
    while ((await drover.operation(id)).state !== "cancelled") await delay(10);
  }

  test("by a signal stops the query in the driver", async () => {
    const controller = new AbortController();
    const query = drover.sql(slow, { signal: controller.signal });
    const failed = failure(query.rows());
    await untilRunning(query.operationId);
    controller.abort();
    expect((await failed).reason).toBe("CANCELLED");
    await untilCancelled(query.operationId);
  });

  test("by a deadline stops it", async () => {
    // Long enough for the driver to have it first.
    const query = drover.sql(slow, { timeoutMs: 3_000 });
    expect((await failure(query.rows())).reason).toBe("DEADLINE_EXCEEDED");
    await untilCancelled(query.operationId);
  });

  test("by leaving the iteration stops it", async () => {
    const query = drover.sql("SELECT n FROM numbers a");
    for await (const event of query.stream()) if (event.type === "batch") break;
    while ((await drover.operation(query.operationId)).state === "running") await delay(10);
  });

  test("by id stops it for everybody", async () => {
    const query = drover.sql(slow);
    const failed = failure(query.rows());
    await untilRunning(query.operationId);
    expect((await drover.cancel(query.operationId)).state).toBe("cancelled");
    expect((await failed).reason).toBe("CANCELLED");
    const names: string[] = [];
    for await (const { id } of drover.operations({ states: ["cancelled"], kinds: ["query"], limit: 10 }))
      names.push(id);
    expect(names).toContain(query.operationId);
  });
});

describe("loads", () => {
  test("can be watched by many, late, and joined", async () => {
    const source = { uri: join(folder, "numbers.csv") };
    const [first, second] = await Promise.all([drover.load("joined", source), drover.load("joined", source)]);
    const results = await Promise.all([first.result(), second.result()]);
    for (const { dataset } of results) expect(dataset.version.rows).toBe(rowCount);
    const late = await drover.watchLoad(first.operationId).result();
    expect(late.dataset.name).toBe("joined");
    await drover.deleteDataset("joined");
    expect((await failure(drover.dataset("joined"))).reason).toBe("DATASET_NOT_FOUND");
  });

  test("never go back in their progress", async () => {
    const load = await drover.load("progress", { uri: join(folder, "numbers.csv") });
    let before = 0;
    let last = "";
    for await (const event of load) {
      last = event.type;
      if (event.type !== "progress") continue;
      expect(event.progress.rows).toBeGreaterThanOrEqual(before);
      before = event.progress.rows;
    }
    expect(last).toBe("completed");
  });

  test("are watched to their end across a broken connection", async () => {
    await using proxy = await startCutProxy(driver.address);
    await using other = await connect({ address: proxy.address, token: driver.token });
    await writeFile(join(folder, "large.csv"), `n,k\n${"1234567,8\n".repeat(3_000_000)}`);
    const load = await other.load("large", { uri: join(folder, "large.csv") });
    const types: string[] = [];
    for await (const event of load) {
      if (types.length === 0) proxy.cut();
      types.push(event.type);
    }
    expect(types[0]).toBe("accepted");
    expect(types.filter((type) => type === "accepted" || type === "completed")).toEqual(["accepted", "completed"]);
    expect((await drover.dataset("large")).version.rows).toBe(3_000_000);
  });

  test("that fail throw the reason and leave nothing", async () => {
    const load = await drover.load("broken", { uri: join(folder, "missing.csv") }).catch((error: unknown) => error);
    const error =
      load instanceof DroverError ? load : await failure((load as Awaited<ReturnType<Drover["load"]>>).result());
    expect(error.message).toContain("missing.csv");
    const names: string[] = [];
    for await (const { name } of drover.datasets()) names.push(name);
    expect(names).not.toContain("broken");
  });
});

describe("data", () => {
  test("is read by row across pages, of one version", async () => {
    let total = 0;
    const seen = new Set<unknown>();
    for await (const row of drover.rows("numbers", { columns: ["n"], where: where("k").equals(4), pageSize: 5000 })) {
      total += 1;
      seen.add(row.n);
    }
    expect([total, seen.size]).toEqual([30_000, 30_000]);
    const some: unknown[] = [];
    for await (const row of drover.rows("numbers", { limit: 7, pageSize: 5 })) some.push(row);
    expect(some).toHaveLength(7);
  });

  test("is listed by value and described by statistics", async () => {
    const values: unknown[] = [];
    for await (const value of drover.values("numbers", "k")) values.push(value);
    expect(values).toEqual(Array.from({ length: 10 }, (_, k) => ({ value: BigInt(k), count: 30_000 })));
    const { rows, columns } = await drover.statistics("numbers", { columns: ["x", "n"] });
    expect(rows).toBe(rowCount);
    expect(columns).toMatchObject([
      { nullCount: 100_000, min: 0.25 },
      { nullCount: 0, min: 0n, max: BigInt(rowCount - 1) },
    ]);
  });

  test("has labels and versions", async () => {
    const names: string[] = [];
    for await (const { name } of drover.datasets({ labels: { kind: "test" } })) names.push(name);
    expect(names).toEqual(["numbers"]);
    expect((await drover.dataset("numbers")).columns.map(({ name }) => name)).toEqual(["n", "k", "day", "x"]);
    for await (const version of drover.versions("numbers"))
      expect(version).toMatchObject({ number: 1, rows: rowCount });
  });
});
