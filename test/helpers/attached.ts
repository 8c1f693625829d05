import type { ClientReadableStream } from "@grpc/grpc-js";
import {
  type AttachResponse,
  DriverService,
  type GetDriverResponse,
} from "../../src/gen/drover/v1/driver_service_pb.js";
import { type Explained, explain, type GrpcClient } from "./grpc-client.ts";

type Event = AttachResponse["event"];

/** A stream of Attach and what came on it. */
export interface Attached {
  readonly events: readonly Event[];
  readonly stream: ClientReadableStream<AttachResponse>;
  /** How the stream ended. */
  readonly ended: Promise<Explained>;
  /** The events but for heartbeats. */
  news(): readonly Event[];
}

/** Attaches and waits until the lease is held. Rejects with the error of a refusal. */
export async function attachTo(client: GrpcClient, clientName = "test"): Promise<Attached> {
  const stream = client.stream(DriverService.method.attach, { clientName });
  const events: Event[] = [];
  const ended = new Promise<Explained>((resolve) => stream.once("error", (error) => resolve(explain(error))));
  await new Promise<void>((resolve, reject) => {
    stream.on("data", ({ event }: AttachResponse) => {
      events.push(event);
      resolve();
    });
    stream.once("error", reject);
  });
  return { events, stream, ended, news: () => events.filter(({ case: type }) => type !== "heartbeat") };
}

/** What the driver says of itself. */
export async function describeDriver(client: GrpcClient): Promise<GetDriverResponse> {
  return (await client.unary(DriverService.method.getDriver, {})).response;
}
