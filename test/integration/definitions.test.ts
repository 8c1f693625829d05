import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ImportConflict, SourceService } from "../../src/gen/drover/v1/source_service_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { GrpcClient } from "../helpers/grpc-client.ts";
import { reasonOf } from "../helpers/reasons.ts";
import { call, end, type OperationJson, startLoad, sum } from "../helpers/two-drivers.ts";

let driver: TestDriver;
let grpc: GrpcClient;
let json: ReturnType<typeof jsonClient>;
let file: string;
beforeAll(async () => {
  driver = await startDriver();
  grpc = new GrpcClient(driver.address, { token: driver.token });
  json = jsonClient(driver);
  file = join(driver.dataDir, "i.csv");
  await writeFile(file, "i\n1\n2\n");
});
afterAll(async () => {
  grpc[Symbol.dispose]();
  await driver[Symbol.asyncDispose]();
});

function jsonClient({ address, token }: TestDriver) {
  const transport = createConnectTransport({
    baseUrl: `http://${address}`,
    httpVersion: "1.1",
    useBinaryFormat: false,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return createClient(SourceService, transport);
}

const { method } = SourceService;

async function loadSource(dataset: string, uri: string): Promise<string> {
  const { failure, operation } = await startLoad(driver, dataset, uri);
  if (failure) return failure.reason;
  const { id } = operation as OperationJson;
  return (await end(driver, id)).state;
}

test("a source is kept over one stack, loaded by name, and changed over the other", async () => {
  const source = { name: "numbers", source: { uri: file }, labels: { team: "a" } };
  const { response } = await grpc.unary(method.createSource, { source });
  expect(response.source).toMatchObject({ name: "numbers", source: { uri: file, format: "csv" }, disabled: false });
  expect(await loadSource("numbers", "source:numbers")).toBe("OPERATION_STATE_SUCCEEDED");
  expect(await sum(driver, "numbers")).toBe("3");
  const { dataset } = await call(driver, "DatasetService/GetDataset", { dataset: "numbers" });
  expect(dataset).toMatchObject({ version: { source: { uri: "source:numbers", format: "csv" } } });
  const read = await json.getSource({ name: "numbers" });
  expect(read.source?.etag).toBe(response.source?.etag);
  const { source: changed } = await json.updateSource({
    source: { name: "numbers", disabled: true, etag: read.source?.etag ?? "" },
  });
  expect(changed).toMatchObject({ disabled: true, labels: { team: "a" } });
  // Nothing is loaded of it any more, and what was loaded still answers.
  expect(await loadSource("numbers", "source:numbers")).toBe("SOURCE_DISABLED");
  expect(await sum(driver, "numbers")).toBe("3");
  const { response: tested } = await grpc.unary(method.testSource, { source: { uri: "source:numbers" } });
  expect(tested.description).toBe("1 file, 6 bytes");
  const stale = { source: { name: "numbers", etag: read.source?.etag ?? "" }, updateMask: { paths: ["disabled"] } };
  expect((await reasonOf(grpc.unary(method.updateSource, stale))).reason).toBe("DEFINITION_CHANGED");
  await json.updateSource({ source: { name: "numbers" }, updateMask: { paths: ["disabled"] } });
  expect(await loadSource("numbers", "source:numbers")).toBe("OPERATION_STATE_SUCCEEDED");
  await grpc.unary(method.deleteSource, { name: "numbers" });
  expect(await loadSource("numbers", "source:numbers")).toBe("SOURCE_NOT_DEFINED");
  expect(await sum(driver, "numbers")).toBe("3");
});

test("sources are listed by page and label", async () => {
  for (const name of ["p1", "p2", "p3"])
    await json.createSource({ source: { name, source: { uri: file }, labels: { page: "yes", name } } });
  const first = await json.listSources({ pageSize: 2, labels: { page: "yes" } });
  expect(first.sources.map(({ name }) => name)).toEqual(["p1", "p2"]);
  const { response: second } = await grpc.unary(method.listSources, {
    pageSize: 2,
    labels: { page: "yes" },
    pageToken: first.nextPageToken,
  });
  expect(second.sources.map(({ name }) => name)).toEqual(["p3"]);
  expect(second.nextPageToken).toBe("");
  expect((await json.listSources({ labels: { name: "p2" } })).sources.map(({ name }) => name)).toEqual(["p2"]);
  expect((await reasonOf(json.listSources({ pageToken: first.nextPageToken }))).reason).toBe("INVALID_PAGE_TOKEN");
});

test("a source is updated by what it holds, or by what a mask names", async () => {
  await json.createSource({ source: { name: "masked", source: { uri: file }, labels: { a: "b" }, disabled: true } });
  await json.updateSource({ source: { name: "masked", labels: { c: "d" } } });
  expect((await json.getSource({ name: "masked" })).source).toMatchObject({ labels: { c: "d" }, disabled: true });
  await json.updateSource({ source: { name: "masked", source: { uri: file } }, updateMask: { paths: ["*"] } });
  expect((await json.getSource({ name: "masked" })).source).toMatchObject({ labels: {}, disabled: false });
  const failures = [
    json.updateSource({ source: { name: "masked" }, updateMask: { paths: ["labels", "lables"] } }),
    json.updateSource({ source: { name: "masked" }, updateMask: { paths: ["source"] } }),
    json.createSource({ source: { name: "empty" } }),
    json.createSource({ source: { name: "a/b", source: { uri: file } } }),
    json.createConnection({ connection: { uri: "x://y" } }),
  ];
  for (const { reason } of await Promise.all(failures.map(reasonOf))) expect(reason).toBe("INVALID_REQUEST");
});

test("what there are of kinds and options is told, for forms", async () => {
  const { kinds } = await json.listSourceKinds({});
  const csv = kinds.find(({ kind }) => kind === "csv");
  expect(csv).toMatchObject({ extensions: expect.arrayContaining(["csv"]), connectionOptions: [] });
  const decimal = csv?.options.find(({ name }) => name === "decimalSeparator");
  expect(decimal).toMatchObject({ choices: [".", ","], default: "." });
});

test("definitions go through a document", async () => {
  await json.createSource({ source: { name: "exported", source: { uri: file, options: { header: true } } } });
  const { definitions } = await json.exportSources({ names: ["exported"] });
  expect(definitions).toMatchObject({ connections: [], sources: [{ name: "exported", etag: "" }] });
  await json.deleteSource({ name: "exported" });
  const { response } = await grpc.unary(method.importSources, { definitions: definitions ?? {} });
  expect(response).toMatchObject({ createdSources: ["exported"], missingSecrets: [] });
  const again = await json.importSources({ definitions: definitions ?? {}, onConflict: ImportConflict.REPLACE });
  expect(again).toMatchObject({ createdSources: [], replacedSources: [], unchanged: ["exported"] });
  expect(await loadSource("exported", "source:exported")).toBe("OPERATION_STATE_SUCCEEDED");
});

test("a password that comes in the wrong form is not shown", async () => {
  for (const password of [12345678, ["12345678"], { hunter: "12345678" }]) {
    const connection = { name: "c", uri: "x://y", labels: { filler: "x".repeat(100) } };
    const { failure } = await call(driver, "SourceService/CreateConnection", { password, connection });
    expect(failure?.reason).toBe("INVALID_REQUEST");
    expect(JSON.stringify(failure)).not.toContain("12345678");
    const long = { ...connection, labels: { filler: "x".repeat(70_000) } };
    const { failure: other } = await call(driver, "SourceService/CreateConnection", { password, connection: long });
    expect(other?.reason).toBe("INVALID_REQUEST");
    expect(JSON.stringify(other)).not.toContain("12345678");
  }
  expect(driver.log()).not.toContain("12345678");
});
