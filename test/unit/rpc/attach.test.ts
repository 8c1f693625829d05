import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { Access } from "../../../src/access/model.ts";
import { AttachRequestSchema } from "../../../src/gen/drover/v1/driver_service_pb.js";
import { DriverControl } from "../../../src/lifecycle/control.ts";
import { DriverEvents } from "../../../src/lifecycle/driver-events.ts";
import { Leases } from "../../../src/lifecycle/leases.ts";
import { type DriverState, Readiness } from "../../../src/lifecycle/readiness.ts";
import { ActiveCall, clientGone } from "../../../src/rpc/call.ts";
import { attach } from "../../../src/rpc/handlers/attach.ts";
import { accessWith, EVERYTHING } from "../../helpers/access.ts";

function open(state: DriverState = "serving", access: Access = EVERYTHING) {
  const parts = {
    readiness: new Readiness(),
    control: new DriverControl(),
    events: new DriverEvents(),
    leases: new Leases(),
  };
  parts.readiness.become(state);
  const call = new ActiveCall({
    ...{ requestId: "r", traceparent: undefined, bearer: undefined, protocol: "grpc", json: false },
    endUserHeader: undefined,
    scopeHeader: undefined,
    deadlineMs: undefined,
    peer: () => "peer",
    watch: () => undefined,
  });
  call.access = access;
  const stream = attach(parts, create(AttachRequestSchema, { clientName: "dashboard-1" }), call);
  const kind = async () => (await stream.next()).value?.event.case;
  return { ...parts, call, stream, kind };
}

test("a client that leaves too much unread loses its lease and its call at once, and hears why when it reads on", async () => {
  const { events, leases, call, stream, kind } = open();
  expect(await kind()).toBe("attached");
  for (let index = 0; index <= 256; index++) {
    expect(leases.size).toBe(1);
    events.emit({ type: "datasetDropped", dataset: `d${index}` });
  }
  expect(leases.size).toBe(0);
  expect(call.abortReason).toMatchObject({ reason: "EVENTS_LOST" });
  await expect(stream.next()).rejects.toMatchObject({ reason: "EVENTS_LOST" });
});

test("a client that reads late still gets the latest version of each dataset", async () => {
  const { events, leases, stream } = open();
  await stream.next();
  for (let version = 1; version <= 1_000; version++) {
    events.emit({ type: "datasetPublished", dataset: `d${version % 100}`, version });
  }
  expect(leases.size).toBe(1);
  const latest = new Map<string, bigint>();
  while (latest.get("d0") !== 1_000n) {
    const { value } = await stream.next();
    if (value?.event.case !== "datasetPublished") throw new Error(`unexpected ${value?.event.case}`);
    latest.set(value.event.value.dataset, value.event.value.version);
  }
  expect(latest.size).toBe(100);
  for (const [dataset, version] of latest) expect(`d${version % 100n}`).toBe(dataset);
});

test("a client with a scope hears that memory runs short, and not how much of it all datasets take", async () => {
  const pressure = { type: "memoryPressure", high: true, processBytes: 7, budgetBytes: 8 } as const;
  for (const [access, processBytes] of [
    [EVERYTHING, 7n],
    [accessWith({ datasets: ["sales"] }), 0n],
  ] as const) {
    const { events, stream, kind } = open("serving", access);
    expect(await kind()).toBe("attached");
    events.emit(pressure);
    expect((await stream.next()).value?.event.value).toMatchObject({ high: true, processBytes, budgetBytes: 8n });
    await stream.return(undefined);
  }
});

test("a lease ends with its call, whatever the stream was doing", async () => {
  const waiting = open();
  expect(await waiting.kind()).toBe("attached");
  const next = waiting.stream.next();
  waiting.call.abort(clientGone);
  await expect(next).rejects.toMatchObject({ reason: "CANCELLED" });
  expect(waiting.leases.size).toBe(0);

  const unread = open();
  expect(await unread.kind()).toBe("attached");
  await unread.stream.return(undefined);
  expect(unread.leases.size).toBe(0);
});

test("whoever attaches in the moment in which the driver is told to end hears it", async () => {
  const { control, events, kind } = open();
  control.onChange((draining) => events.emit({ type: "draining", ...draining }));
  control.end({ reason: "asked to", timeoutMs: 1_000 });
  expect(await kind()).toBe("attached");
  expect(await kind()).toBe("draining");
});

test.each<DriverState>(["starting", "draining", "stopping"])(
  "nobody attaches to a driver that is %s",
  async (state) => {
    const { leases, stream } = open(state);
    await expect(stream.next()).rejects.toMatchObject({ reason: "NOT_SERVING", metadata: { state } });
    expect(leases.size).toBe(0);
  },
);
