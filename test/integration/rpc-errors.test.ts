import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DriverService, DriverState } from "../../src/gen/drover/v1/driver_service_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../../src/gen/grpc/health/v1/health_pb.js";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../../src/gen/grpc/reflection/v1/reflection_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";

let driver: TestDriver;
let client: GrpcClient;

beforeAll(async () => {
  driver = await startDriver({ args: ["--limits-max-request-bytes", "64KiB"] });
  client = new GrpcClient(driver.address, { token: driver.token });
});

afterAll(async () => {
  client[Symbol.dispose]();
  await driver[Symbol.asyncDispose]();
});

describe("gRPC", () => {
  test("GetDriver says who the driver is, and so does the response's metadata", async () => {
    const { response, metadata } = await client.unary(DriverService.method.getDriver, {});
    expect(response.instanceId).toBe(driver.instanceId);
    expect(response.pid).toBe(driver.pid);
    expect(response.state).toBe(DriverState.SERVING);
    expect(metadata.get("drover-instance-id")).toEqual([driver.instanceId]);
    expect(metadata.get("drover-request-id")[0]).toMatch(/^\w+-\w+$/);
  });

  test("a call without the token is refused with a reason and the metadata of every response", async () => {
    using stranger = new GrpcClient(driver.address, {});
    const error = await failure(stranger.unary(DriverService.method.getDriver, {}));
    expect(error).toMatchObject({ code: 16, reason: "UNAUTHENTICATED", domain: "drover.dev" });
    expect(error.metadata.get("drover-instance-id")).toEqual([driver.instanceId]);
  });

  test("a wrong token is refused", async () => {
    using stranger = new GrpcClient(driver.address, { token: `${driver.token}x` });
    expect(await failure(stranger.unary(DriverService.method.getDriver, {}))).toMatchObject({
      reason: "UNAUTHENTICATED",
      message: "the token is wrong",
    });
  });

  test("an unknown method has a reason", async () => {
    const unknown = { ...DriverService.method.getDriver, name: "Nothing" };
    expect(await failure(client.unary(unknown, {}))).toMatchObject({ code: 12, reason: "UNKNOWN_METHOD" });
  });

  test("bytes that are no message are an invalid request", async () => {
    const error = await failure(client.send(Health.method.check, Buffer.from([0x0a, 0xff, 0xff])));
    expect(error).toMatchObject({ code: 3, reason: "INVALID_REQUEST" });
  });

  test("a request over the limit is too large", async () => {
    const error = await failure(client.unary(Health.method.check, { service: "x".repeat(70_000) }));
    expect(error).toMatchObject({ code: 8, reason: "REQUEST_TOO_LARGE" });
  });

  test("health needs no token and knows the services", async () => {
    using stranger = new GrpcClient(driver.address, {});
    const { response } = await stranger.unary(Health.method.check, { service: "drover.v1.DriverService" });
    expect(response.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    expect(await failure(stranger.unary(Health.method.check, { service: "nothing" }))).toMatchObject({
      code: 5,
      reason: "UNKNOWN_SERVICE",
    });
  });

  test("reflection lists the services and gives their files", async () => {
    const ask = async (init: Parameters<typeof create<typeof ServerReflectionRequestSchema>>[1]) => {
      const call = client.raw.makeBidiStreamRequest(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        (request: Buffer) => request,
        (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
        bearer(driver.token),
      );
      call.write(Buffer.from(toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, init))));
      call.end();
      const answers = [];
      for await (const answer of call) answers.push(answer);
      return answers[0]?.messageResponse;
    };
    const listed = await ask({ messageRequest: { case: "listServices", value: "" } });
    expect(
      listed?.case === "listServicesResponse" &&
        listed.value.service.map((service: { readonly name: string }) => service.name),
    ).toEqual(
      expect.arrayContaining([
        "drover.v1.DriverService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
      ]),
    );
    const file = await ask({
      messageRequest: { case: "fileContainingSymbol", value: "drover.v1.DriverService.GetDriver" },
    });
    expect(file?.case === "fileDescriptorResponse" && file.value.fileDescriptorProto.length).toBe(7);
    const missing = await ask({ messageRequest: { case: "fileByFilename", value: "nothing.proto" } });
    expect(missing?.case === "errorResponse" && missing.value.errorCode).toBe(5);
  });

  test("reflection needs the token", async () => {
    const call = client.raw.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      (request: Buffer) => request,
      (bytes: Buffer) => bytes,
    );
    call.end();
    expect(await failure(call.toArray())).toMatchObject({ reason: "UNAUTHENTICATED" });
  });
});

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}
