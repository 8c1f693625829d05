import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import { attachTo, describeDriver } from "../helpers/attached.ts";
import { type Direction, startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";

const ENDLESS = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";
const program = join(import.meta.dirname, "../helpers/attach-client.ts");
const PATIENT = { timeout: 30_000 };

let driver: TestDriver;
let client: GrpcClient;

beforeAll(async () => {
  driver = await startDriver();
  client = new GrpcClient(driver.address, { token: driver.token });
});

afterAll(async () => {
  client[Symbol.dispose]();
  await driver[Symbol.asyncDispose]();
});

const leases = async () => (await describeDriver(client)).leases.map(({ clientName }) => clientName);

describe("an attached client", () => {
  test("is listed with what it says of itself for as long as its stream is open", async () => {
    using own = new GrpcClient(driver.address, { token: driver.token });
    const request = { clientName: "dashboard-1", clientHost: "bi-1", clientPid: 4711, clientVersion: "0.3.0" };
    const stream = own.stream(DriverService.method.attach, request);
    const [first] = await once(stream, "data");
    const held = (await describeDriver(client)).leases;
    expect(held).toMatchObject([{ ...request, id: first.event.value.leaseId, principal: "owner" }]);
    const ended = failure(once(stream, "end"));
    stream.cancel();
    expect((await ended).code).toBe(1);
    await expect.poll(leases, PATIENT).toEqual([]);
  });

  test("hears of datasets that are published and dropped, in order", async () => {
    using own = new GrpcClient(driver.address, { token: driver.token });
    const { news: all, stream, ended } = await attachTo(own);
    // Memory is told of as well, when it is looked at.
    const news = () => all().filter(({ case: kind }) => kind !== "datasetEvicted");
    const file = join(driver.dataDir, "told.csv");
    await writeFile(file, "a,b\n1,2\n");
    const published = async (version: number) => {
      const request = { dataset: "told", source: { uri: file } };
      const { response } = await client.unary(DatasetService.method.loadDataset, request);
      // The load ends after the news of what it has published, and until then no other one of the dataset may begin.
      await client.stream(DatasetService.method.watchLoad, { operationId: String(response.operation?.id) }).toArray();
      const event = { case: "datasetPublished", value: { dataset: "told", version: BigInt(version) } };
      await expect.poll(() => news().at(-1), PATIENT).toMatchObject(event);
    };
    await published(1);
    await published(2);
    await client.unary(DatasetService.method.deleteDataset, { dataset: "told" });
    const dropped = { case: "datasetDropped", value: { dataset: "told" } };
    await expect.poll(() => news().at(-1), PATIENT).toMatchObject(dropped);
    const kinds = news().map(({ case: kind }) => kind);
    expect(kinds).toEqual(["attached", "datasetPublished", "datasetPublished", "datasetDropped"]);
    stream.cancel();
    await ended;
  });

  test("hears a heartbeat when nothing else happens", async () => {
    using own = new GrpcClient(driver.address, { token: driver.token });
    const { events, stream, ended } = await attachTo(own);
    // News of what happened before may still come, and of memory at any time.
    await expect.poll(() => events.at(-1)?.case, PATIENT).toBe("heartbeat");
    expect(events[0]?.case).toBe("attached");
    stream.cancel();
    await ended;
  });

  test("that is killed loses its lease", async () => {
    const child = spawn(process.execPath, [program, driver.address, driver.token, "victim"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(createInterface(child.stdout), "line");
    expect(JSON.parse(line)).toMatchObject({ attached: { heartbeatInterval: "5s" } });
    const lease = { clientName: "victim", clientPid: child.pid, clientHost: "test-host", clientVersion: "1.2.3" };
    // The driver may hear later than the test that the client before it has left.
    await expect.poll(async () => (await describeDriver(client)).leases, PATIENT).toMatchObject([lease]);
    child.kill("SIGKILL");
    await once(child, "close");
    await expect.poll(leases, PATIENT).toEqual([]);
  });

  test("needs the token", async () => {
    using stranger = new GrpcClient(driver.address, {});
    await expect(attachTo(stranger)).rejects.toMatchObject({ code: 16 });
    expect(await leases()).toEqual([]);
  });

  test("may attach over HTTP/1.1, too, and loses its lease with its connection", async () => {
    const abort = new AbortController();
    const message = Buffer.from(JSON.stringify({ clientName: "browser" }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    const response = await fetch(`http://${driver.address}/drover.v1.DriverService/Attach`, {
      method: "POST",
      headers: { authorization: `Bearer ${driver.token}`, "content-type": "application/connect+json" },
      body: Buffer.concat([head, message]),
      signal: abort.signal,
    });
    const { value } = (await response.body?.getReader().read()) ?? {};
    expect(JSON.parse(Buffer.from(value ?? []).toString("utf8", 5))).toMatchObject({ attached: {} });
    expect(await leases()).toEqual(["browser"]);
    abort.abort();
    await expect.poll(leases, PATIENT).toEqual([]);
  });
});

test("attached clients hear when the driver's memory is nearly used up", async () => {
  await using small = await startDriver({ args: ["--memory", "512MB"] });
  using own = new GrpcClient(small.address, { token: small.token });
  const { news } = await attachTo(own);
  const sql = "SELECT count(*) AS c FROM (SELECT i % 4000000 AS k, max(hash(i)) FROM range(8000000) t(i) GROUP BY 1)";
  const pressure = async () => {
    // Whether it has memory enough is of no matter here.
    await own.unary(QueryService.method.query, { question: { kind: { case: "sql", value: { sql } } } }).catch(() => {});
    // It may be low again by now.
    return news().find(({ case: kind }) => kind === "memoryPressure");
  };
  const value = { high: true, budgetBytes: 300_800_000n };
  await expect.poll(pressure, { timeout: 100_000 }).toMatchObject({ case: "memoryPressure", value });
});

describe.concurrent("a connection that carries nothing", { timeout: 120_000 }, () => {
  test.for<Direction>(["toDriver", "toClient"])(
    "%s any more loses its lease, and its calls are stopped",
    async (direction, { expect }) => {
      await using lonely = await startDriver({ args: ["--threads", "1"] });
      using near = new GrpcClient(lonely.address, { token: lonely.token });
      await using proxy = await startCutProxy(lonely.address);
      using own = new GrpcClient(proxy.address, { token: lonely.token });
      const { ended } = await attachTo(own, "half-open");
      const question = { kind: { case: "sql", value: { sql: ENDLESS } } } as const;
      const query = own.stream(QueryService.method.runQuery, { question });
      const broken = failure(query.toArray());
      await expect.poll(async () => (await describeDriver(near)).pools[0]?.running, PATIENT).toBe(1);
      proxy.stall(direction);
      await expect.poll(async () => (await describeDriver(near)).leases, PATIENT).toEqual([]);
      await expect.poll(async () => (await describeDriver(near)).runningOperations, PATIENT).toBe(0);
      proxy.cut();
      expect((await ended).code).toBe(14);
      expect((await broken).code).toBe(14);
    },
  );
});
