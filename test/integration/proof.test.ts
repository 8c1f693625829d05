import { createHmac, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";

let driver: TestDriver;

beforeAll(async () => {
  driver = await startDriver();
});

afterAll(() => driver[Symbol.asyncDispose]());

/** As docs/lifecycle.md says. */
function expectedProof(nonce: Buffer): string {
  const text = `drover-driver-proof-v1\n${driver.instanceId}\n${driver.address}\n`;
  return createHmac("sha256", driver.token).update(text).update(nonce).digest("hex");
}

test("a driver proves without a token that it knows the token, by gRPC", async () => {
  using stranger = new GrpcClient(driver.address, {});
  const nonce = randomBytes(32);
  const { response } = await stranger.unary(DriverService.method.proveIdentity, { nonce });
  expect(response).toMatchObject({ instanceId: driver.instanceId, address: driver.address });
  expect(Buffer.from(response.proof).toString("hex")).toBe(expectedProof(nonce));
});

test("a driver proves without a token that it knows the token, by JSON", async () => {
  const nonce = randomBytes(16);
  const response = await fetch(`http://${driver.address}/drover.v1.DriverService/ProveIdentity`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ nonce: nonce.toString("base64") }),
  });
  expect(response.status).toBe(200);
  const { instanceId, address, proof } = (await response.json()) as Record<string, string>;
  expect({ instanceId, address }).toEqual({ instanceId: driver.instanceId, address: driver.address });
  expect(Buffer.from(proof ?? "", "base64").toString("hex")).toBe(expectedProof(nonce));
});

test("a nonce that is too short to be random is refused", async () => {
  using stranger = new GrpcClient(driver.address, {});
  const refused = failure(stranger.unary(DriverService.method.proveIdentity, { nonce: new Uint8Array(15) }));
  expect(await refused).toMatchObject({ reason: "INVALID_REQUEST", fields: ["nonce"] });
});

test("whoever shows no token can't make the driver keep much of a message, by gRPC", async () => {
  using stranger = new GrpcClient(driver.address, {});
  const refused = failure(stranger.unary(DriverService.method.proveIdentity, { nonce: new Uint8Array(5_000) }));
  expect(await refused).toMatchObject({ reason: "REQUEST_TOO_LARGE", info: { maxRequestBytes: "4096" } });
  using owner = new GrpcClient(driver.address, { token: driver.token });
  const long = failure(owner.unary(DriverService.method.drain, { reason: "x".repeat(5_000) }));
  expect(await long).toMatchObject({ reason: "INVALID_REQUEST", fields: ["reason"] });
});

test("whoever shows no token can't make the driver keep much of a message, by JSON", async () => {
  const response = await fetch(`http://${driver.address}/drover.v1.DriverService/ProveIdentity`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ nonce: Buffer.alloc(5_000).toString("base64") }),
  });
  expect(await response.text()).toContain("REQUEST_TOO_LARGE");
});

test("whoever shows no token can't fill the log", async () => {
  using stranger = new GrpcClient(driver.address, {});
  await failure(stranger.unary(DriverService.method.proveIdentity, { nonce: new Uint8Array(1) }));
  using owner = new GrpcClient(driver.address, { token: driver.token });
  await failure(owner.unary(DriverService.method.drain, { reason: "x".repeat(5_000) }));
  // The later one is written, so the earlier one would be, too.
  await expect.poll(() => driver.log(), { timeout: 20_000 }).toContain("DriverService/Drain");
  expect(driver.log()).not.toContain("ProveIdentity");
});

test("nothing else of the service is told or done without the token", async () => {
  using stranger = new GrpcClient(driver.address, {});
  const { getDriver, drain, stop, attach } = DriverService.method;
  const calls = [
    ...[stranger.unary(getDriver, {}), stranger.unary(drain, {}), stranger.unary(stop, {})],
    stranger.stream(attach, { clientName: "x" }).toArray(),
  ];
  for (const call of calls) expect(await failure(call)).toMatchObject({ code: 16, reason: "UNAUTHENTICATED" });
  for (const name of ["GetDriver", "Drain", "Stop"]) {
    const response = await fetch(`http://${driver.address}/drover.v1.DriverService/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(response.status).toBe(401);
  }
  expect(driver.process.exitCode).toBeNull();
});
