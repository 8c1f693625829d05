import { toJsonString } from "@bufbuild/protobuf";
import { AttachResponseSchema, DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { GrpcClient } from "./grpc-client.ts";

// Attaches to a driver and prints its events, one JSON object in a line, until it is killed or the stream ends.
const [address = "", token = "", clientName = ""] = process.argv.slice(2);

using client = new GrpcClient(address, { token });
const request = { clientName, clientHost: "test-host", clientPid: process.pid, clientVersion: "1.2.3" };
for await (const event of client.stream(DriverService.method.attach, request)) {
  process.stdout.write(`${toJsonString(AttachResponseSchema, event)}\n`);
}
