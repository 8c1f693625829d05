import { execFile } from "node:child_process";
import { connect } from "node:net";
import { promisify } from "node:util";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { OperationService } from "../../src/gen/drover/v1/operation_service_pb.js";
import { BadRequestSchema, ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

const run = promisify(execFile);
let driver: TestDriver;
let base: string;

beforeAll(async () => {
  driver = await startDriver({ args: ["--limits-max-request-bytes", "64KiB", "--http-origins", "https://bi.example"] });
  base = `http://${driver.address}`;
});

afterAll(() => driver[Symbol.asyncDispose]());

interface PostOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function post(path: string, body: string | Uint8Array, { token = driver.token, headers = {} }: PostOptions = {}) {
  return fetch(`${base}${path}`, {
    method: "POST",
    body: body as string,
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }), ...headers },
  });
}

const getDriver = "/drover.v1.DriverService/GetDriver";
const getOperation = "/drover.v1.OperationService/GetOperation";
const queryPath = "/drover.v1.QueryService/Query";
const listOperations = "/drover.v1.OperationService/ListOperations";

async function reasonOf(response: Response): Promise<{ code: string; reason: string; fields: string[] }> {
  const { code, details = [] } = (await response.json()) as {
    code: string;
    details: { type: string; debug: { reason?: string; fieldViolations?: { field: string }[] } }[];
  };
  const info = details.find(({ type }) => type === "google.rpc.ErrorInfo");
  const bad = details.find(({ type }) => type === "google.rpc.BadRequest");
  return {
    code,
    reason: String(info?.debug.reason),
    fields: bad?.debug.fieldViolations?.map(({ field }) => field) ?? [],
  };
}

describe("pages", () => {
  test("liveness and readiness need no token", async () => {
    expect(await (await fetch(`${base}/healthz`)).text()).toBe("alive\n");
    expect(await (await fetch(`${base}/readyz`)).text()).toBe("serving\n");
  });

  test("metrics need the token", async () => {
    expect((await fetch(`${base}/metrics`)).status).toBe(401);
    await post(getDriver, "{}");
    const text = await (
      await fetch(`${base}/metrics`, { headers: { authorization: `Bearer ${driver.token}` } })
    ).text();
    expect(text).toContain('drover_rpc_duration_seconds_count{rpc="/drover.v1.DriverService/GetDriver",code="0"}');
    expect(text).toMatch(/^drover_process_resident_bytes \d+$/m);
    expect(text).toMatch(/^drover_pool_size\{pool="readers"\} \d+$/m);
  });

  test("the index page says little to strangers and more to those with the token", async () => {
    const stranger = await (await fetch(base)).text();
    expect(stranger).toContain("<strong>serving</strong>");
    expect(stranger).not.toContain(driver.instanceId);
    const response = await fetch(base, { headers: { authorization: `Bearer ${driver.token}` } });
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await response.text()).toContain(driver.instanceId);
  });

  test("a page takes no POST", async () => {
    expect((await post("/healthz", "{}")).status).toBe(405);
  });
});

describe("Connect with JSON", () => {
  test("curl gets an answer, with the metadata of every response", async () => {
    const { stdout } = await run("curl", [
      ...["-sSi", "-H", `authorization: Bearer ${driver.token}`, "-H", "content-type: application/json"],
      ...["-d", "{}", `${base}${getDriver}`],
    ]);
    expect(stdout).toContain(`drover-instance-id: ${driver.instanceId}`);
    expect(stdout).toMatch(/drover-request-id: \w+-\w+/);
    expect(JSON.parse(stdout.slice(stdout.indexOf("{")))).toMatchObject({ pid: driver.pid });
  });

  test("a GET works for what has no side effects", async () => {
    const query = new URLSearchParams({ encoding: "json", message: "{}" });
    const response = await fetch(`${base}${getDriver}?${query}`, {
      headers: { authorization: `Bearer ${driver.token}` },
    });
    expect(await response.json()).toMatchObject({ instanceId: driver.instanceId });
  });

  test("a missing or wrong token is refused", async () => {
    for (const token of ["", "wrong"]) {
      const response = await post(getDriver, "{}", { token });
      expect(response.status).toBe(401);
      expect(await reasonOf(response)).toMatchObject({ code: "unauthenticated", reason: "UNAUTHENTICATED" });
    }
    const get = await fetch(`${base}${getDriver}?encoding=json&message={}`);
    expect(await reasonOf(get)).toMatchObject({ reason: "UNAUTHENTICATED" });
  });

  const aggregate = (parts: string) => `{"question":{"aggregate":{"dataset":"a",${parts}}}}`;
  test.each([
    ["not JSON", "{", []],
    ["not UTF-8", Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), []],
    ["a field that the contract does not have", '{"labelz":{}}', ["labelz"]],
    ["a field of another type", '{"operationId":7}', ["operation_id"]],
    [
      "such a field within a list",
      aggregate('"measures":[{"op":1},{"collumn":"x"}]'),
      ["question.aggregate.measures[1].collumn"],
    ],
    ["an unknown value of an enum", aggregate('"measures":[{"op":"COUNT"}]'), ["question.aggregate.measures[0].op"]],
    ["two kinds of question", '{"question":{"aggregate":{},"sql":{}}}', ["question"]],
  ])("%s is an invalid request", async (_case, body, fields) => {
    const response = await post(queryPath, body);
    expect(response.status).toBe(400);
    expect(await reasonOf(response)).toMatchObject({ code: "invalid_argument", reason: "INVALID_REQUEST", fields });
  });

  test.each([200, 7_000])("conditions nested %i deep are an invalid request", async (depth) => {
    const filter = `${'{"not":'.repeat(depth)}{}${"}".repeat(depth)}`;
    const response = await post(queryPath, aggregate(`"filter":${filter}`));
    const { message } = (await response.clone().json()) as { message: string };
    expect(message).toContain("maximum recursion depth");
    expect(await reasonOf(response)).toMatchObject({ code: "invalid_argument", reason: "INVALID_REQUEST" });
  });

  test("an operation that failed is shown with its error", async () => {
    const source = '"source":{"uri":"/no/such.csv"},"operationId":"failed"';
    await post("/drover.v1.DatasetService/LoadDataset", `{"dataset":"none",${source}}`);
    const shown = async () => (await (await post(getOperation, '{"id":"failed"}')).json()) as object;
    await expect.poll(shown, { timeout: 30_000 }).toMatchObject({
      operation: { state: "OPERATION_STATE_FAILED", error: { details: [{ reason: "SOURCE_NOT_FOUND" }, {}] } },
    });
  });

  test("a misspelt field and a shortened value are told what was meant", async () => {
    const messages = [aggregate('"measurez":[]'), aggregate('"measures":[{"op":"COUNT"}]')].map(async (body) => {
      const { message } = (await (await post(queryPath, body)).json()) as { message: string };
      return message;
    });
    expect(await Promise.all(messages)).toEqual([
      'question.aggregate.measurez: is unknown; did you mean "measures"?',
      'question.aggregate.measures[0].op: expected a value of drover.v1.MeasureOp, got "COUNT"; did you mean "MEASURE_OP_COUNT"?',
    ]);
  });

  test.each([
    ["a type that is no message's", { "content-type": "text/plain" }, 415],
    ["the type of a stream", { "content-type": "application/connect+json" }, 415],
    ["gRPC's own type", { "content-type": "application/grpc" }, 415],
    ["bytes that are not what gzip makes", { "content-encoding": "gzip" }, 400],
    ["another compression", { "content-encoding": "br" }, 400],
    ["a deadline that is no time", { "connect-timeout-ms": "soon" }, 400],
  ])("%s is refused with a reason", async (_case, headers, status) => {
    const response = await post(getOperation, '{"id":"nothing"}', { headers });
    expect(response.status).toBe(status);
    expect(await reasonOf(response)).toMatchObject({ reason: "INVALID_REQUEST" });
  });

  test("a stream asked for like a unary call is told how to ask", async () => {
    const response = await post("/drover.v1.QueryService/RunQuery", "{}");
    expect(response.status).toBe(415);
    expect(((await response.json()) as { message: string }).message).toContain("application/connect+json");
  });

  test.each([
    ["PUT", getDriver, "", 405],
    ["GET", "/drover.v1.OperationService/CancelOperation", "?encoding=json&message={}", 405],
    ["GET", getDriver, "", 415],
    ["GET", getOperation, "?encoding=json&message={", 400],
    ["GET", getOperation, "?encoding=json&message={}&compression=gzip", 415],
  ])("a %s of %s%s is refused with a reason", async (method, path, query, status) => {
    const response = await fetch(`${base}${path}${query}`, {
      method,
      headers: { authorization: `Bearer ${driver.token}` },
    });
    expect(response.status).toBe(status);
    expect(await reasonOf(response)).toMatchObject({ reason: "INVALID_REQUEST" });
  });

  test("a small request that is large once it is decompressed is too large", async () => {
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(JSON.stringify({ id: "x".repeat(50_000_000) }));
    expect(bomb.length).toBeLessThan(64 * 1024);
    const response = await post(getOperation, bomb, { headers: { "content-encoding": "gzip" } });
    expect(await reasonOf(response)).toMatchObject({ reason: "REQUEST_TOO_LARGE" });
  });

  test("a field that breaks a rule is named with its path", async () => {
    const response = await post(listOperations, '{"kinds":["OPERATION_KIND_LOAD",77],"pageSize":-1}');
    expect(await reasonOf(response)).toMatchObject({ reason: "INVALID_REQUEST", fields: ["page_size", "kinds[1]"] });
  });

  test("a request over the limit is too large, whether its length is told or not", async () => {
    const body = JSON.stringify({ id: "x".repeat(70_000) });
    const told = await post(getOperation, body);
    expect(told.status).toBe(429);
    expect(await reasonOf(told)).toMatchObject({ code: "resource_exhausted", reason: "REQUEST_TOO_LARGE" });
    const untold = await fetch(`${base}${getOperation}`, {
      method: "POST",
      body: new Blob([body]).stream(),
      duplex: "half",
      headers: { "content-type": "application/json", authorization: `Bearer ${driver.token}` },
    } as RequestInit);
    expect(await reasonOf(untold)).toMatchObject({ reason: "REQUEST_TOO_LARGE" });
  });

  test("an unknown method has a reason", async () => {
    const response = await post("/drover.v1.DriverService/Nothing", "{}");
    expect(response.status).toBe(404);
    expect(response.headers.get("drover-instance-id")).toBe(driver.instanceId);
    expect(await reasonOf(response)).toMatchObject({ code: "unimplemented", reason: "UNKNOWN_METHOD" });
  });

  test("an unknown operation has a reason", async () => {
    const response = await post(getOperation, '{"id":"nothing"}');
    expect(response.status).toBe(404);
    expect(await reasonOf(response)).toMatchObject({ reason: "OPERATION_NOT_FOUND" });
  });

  test("a compressed request is read", async () => {
    const { gzipSync } = await import("node:zlib");
    const response = await post(getOperation, gzipSync('{"id":"nothing"}'), {
      headers: { "content-encoding": "gzip" },
    });
    expect(await reasonOf(response)).toMatchObject({ reason: "OPERATION_NOT_FOUND" });
  });
});

describe("clients of other protocols", () => {
  test.each([
    ["gRPC-Web", () => createGrpcWebTransport],
    ["Connect with bytes", () => createConnectTransport],
  ])("%s works, and its errors carry details", async (_name, transportOf) => {
    const token = { value: driver.token };
    const transport = transportOf()({
      httpVersion: "1.1",
      baseUrl: base,
      useBinaryFormat: true,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${token.value}`);
          return next(request);
        },
      ],
    });
    let headers: Headers | undefined;
    const onHeader = (received: Headers) => {
      headers = received;
    };
    const { pid } = await createClient(DriverService, transport).getDriver({}, { onHeader });
    expect(pid).toBe(driver.pid);
    expect(headers?.get("drover-instance-id")).toBe(driver.instanceId);

    const operations = createClient(OperationService, transport);
    const invalid = await operations
      .listOperations({ pageSize: -1 })
      .catch((error: unknown) => ConnectError.from(error));
    expect(invalid).toMatchObject({ code: Code.InvalidArgument });
    expect((invalid as ConnectError).findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe("page_size");

    token.value = "wrong";
    const refused = await operations.listOperations({}).catch((error: unknown) => ConnectError.from(error));
    expect(refused).toMatchObject({ code: Code.Unauthenticated });
    expect((refused as ConnectError).findDetails(ErrorInfoSchema)[0]?.reason).toBe("UNAUTHENTICATED");
  });

  test("a stream's messages arrive while it is open, and leaving it ends it", async () => {
    const transport = createGrpcWebTransport({ httpVersion: "1.1", baseUrl: base });
    const abort = new AbortController();
    const watched: number[] = [];
    const watching = (async () => {
      for await (const { status } of createClient(Health, transport).watch({}, { signal: abort.signal })) {
        watched.push(status);
        abort.abort();
      }
    })();
    await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
    expect(watched).toEqual([1]);
    const metrics = async () =>
      (await fetch(`${base}/metrics`, { headers: { authorization: `Bearer ${driver.token}` } })).text();
    await expect.poll(metrics, { timeout: 20_000 }).toMatch(/^drover_rpc_in_flight 0$/m);
  });
});

describe("browsers", () => {
  test("a page of an allowed origin may call", async () => {
    const preflight = await fetch(`${base}${getDriver}`, {
      method: "OPTIONS",
      headers: { origin: "https://bi.example" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    const response = await post(getDriver, "{}", { headers: { origin: "https://bi.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBe("https://bi.example");
    expect(response.status).toBe(200);
  });

  test("a page of another origin may not", async () => {
    const preflight = await fetch(`${base}${getDriver}`, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example" },
    });
    expect(preflight.status).toBe(403);
    const response = await post(getDriver, "{}", { headers: { origin: "https://evil.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(await reasonOf(response)).toMatchObject({ reason: "ORIGIN_FORBIDDEN" });
  });

  test("a page that the driver served may", async () => {
    expect((await post(getDriver, "{}", { headers: { origin: base } })).status).toBe(200);
  });
});

test.each([
  ["what is no HTTP", "GARBAGE\r\n\r\n", "400 Bad Request"],
  [
    "two lengths",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    "400 Bad Request",
  ],
  ["too many headers", `GET / HTTP/1.1\r\nx: ${"y".repeat(100_000)}\r\n\r\n`, "431 Request Header Fields Too Large"],
])("%s is answered as HTTP does", async (_case, bytes, status) => {
  const [host = "", port = ""] = driver.address.split(":");
  const socket = connect({ host, port: Number(port) });
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    answer += text;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  expect(answer).toContain(`HTTP/1.1 ${status}`);
});

test("first bytes that come one by one are told apart all the same", async () => {
  const [host = "", port = ""] = driver.address.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    answer += text;
  });
  for (const character of "POST /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n") {
    socket.write(character);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => socket.once("close", resolve));
  expect(answer).toMatch(/^HTTP\/1\.1 405 /);
});
