import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, DurationSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { startCutProxy } from "../../../test/helpers/cut-proxy.ts";
import { DatasetService } from "../src/gen/drover/v1/dataset_service_pb.js";
import { OperationKind, OperationState } from "../src/gen/drover/v1/operation_service_pb.js";
import { QueryService, type RunQueryResponse } from "../src/gen/drover/v1/query_service_pb.js";
import { TypeKind } from "../src/gen/drover/v1/types_pb.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  RetryInfoSchema,
} from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { connect, count, type Drover, DroverError, type LoadEvent } from "../src/index.ts";
import { FaultPeer } from "./fault-peer.ts";

type Event = NonNullable<Exclude<RunQueryResponse["event"], { case: undefined }>>;
type EventInit = { case: Event["case"]; value: object };

const columns = [{ name: "n", type: "BIGINT", kind: TypeKind.INTEGER }];
const accepted: EventInit = { case: "accepted", value: { operationId: "q" } };
const completed: EventInit = { case: "completed", value: { rows: 1n } };
const frameStart = (frameId = 1n, exact = true): EventInit => ({
  case: "frameStart",
  value: { frameId, exact, columns },
});
const frameEnd = (frameId = 1n, rows = 1n): EventInit => ({ case: "frameEnd", value: { frameId, rows } });

function batch(seq = 1n, numbers = ["1"], frameId = 1n): EventInit {
  const rows = numbers.map((text) => ({
    values: [create(ValueSchema, { kind: { case: "stringValue", value: text } })],
  }));
  return { case: "frameBatch", value: { frameId, seq, rows } };
}

function answering(events: readonly EventInit[]): Promise<FaultPeer> {
  return new FaultPeer()
    .stream(QueryService.method.runQuery, (stream) => {
      for (const event of events) stream.write({ event } as never);
      stream.end();
    })
    .listen();
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(DroverError);
    return error as DroverError;
  }
  throw new Error("it did not fail");
}

describe("a query's stream", () => {
  test("gives the exact frame", async () => {
    await using peer = await answering([
      accepted,
      frameStart(),
      batch(1n, ["1", "9007199254740993"]),
      frameEnd(1n, 2n),
      completed,
    ]);
    await using drover = await connect(peer);
    expect(await drover.query("d", { measures: [count()] }).rows()).toEqual([{ n: 1n }, { n: 9007199254740993n }]);
  });

  test.each([
    ["that ends without completed", [accepted, frameStart(), batch(), frameEnd()], "STREAM_CUT"],
    ["that ends in the middle of a frame", [accepted, frameStart(), batch()], "STREAM_CUT"],
    ["that says nothing", [], "STREAM_CUT"],
    ["that leaves a batch out", [frameStart(), batch(2n), frameEnd(), completed], "UNEXPECTED_MESSAGE"],
    ["that brings a batch twice", [frameStart(), batch(), batch(), frameEnd(1n, 2n), completed], "UNEXPECTED_MESSAGE"],
    [
      "with a batch of another frame",
      [frameStart(), batch(1n, ["1"], 7n), frameEnd(), completed],
      "UNEXPECTED_MESSAGE",
    ],
    ["with a batch before any frame", [batch(), completed], "UNEXPECTED_MESSAGE"],
    [
      "with fewer rows than the frame's end says",
      [frameStart(), batch(), frameEnd(1n, 2n), completed],
      "UNEXPECTED_MESSAGE",
    ],
    ["completed within a frame", [frameStart(), batch(), completed], "UNEXPECTED_MESSAGE"],
    ["completed without an exact frame", [frameStart(1n, false), batch(), frameEnd(), completed], "UNEXPECTED_MESSAGE"],
  ] satisfies [string, EventInit[], string][])("%s is an error", async (_name, events, reason) => {
    await using peer = await answering(events);
    await using drover = await connect(peer);
    expect((await failure(drover.query("d", {}).rows())).reason).toBe(reason);
  });

  test("replaces a frame by the next one, also one that was not ended", async () => {
    await using peer = await answering([
      frameStart(1n, false),
      batch(1n, ["1"]),
      frameEnd(1n, 1n),
      frameStart(2n, false),
      batch(1n, ["2"], 2n),
      frameStart(3n, true),
      batch(1n, ["3"], 3n),
      frameEnd(3n, 1n),
      completed,
    ]);
    await using drover = await connect(peer);
    const frames: unknown[] = [];
    for await (const event of drover.query("d", {}))
      if (event.type === "frame") frames.push([event.frame.id, event.frame.exact, event.frame.rows]);
    expect(frames).toEqual([
      [1, false, [{ n: 1n }]],
      [3, true, [{ n: 3n }]],
    ]);
  });

  test("runs once", async () => {
    await using peer = await answering([frameStart(), batch(), frameEnd(), completed]);
    await using drover = await connect(peer);
    const query = drover.query("d", {});
    expect(query.summary).toBeUndefined();
    await query.rows();
    expect(query.summary?.rows).toBe(1);
    expect((await failure(query.rows())).reason).toBe("ALREADY_CONSUMED");
  });

  test("that is larger than the limit is refused, but streams", async () => {
    const text = "9".repeat(1000);
    const events = [frameStart(), batch(1n, [text]), batch(2n, [text]), frameEnd(1n, 2n), completed];
    await using peer = await answering(events);
    await using drover = await connect(peer);
    const error = await failure(drover.query("d", {}, { maxResultBytes: 1500 }).rows());
    expect([error.reason, error.retryable]).toEqual(["RESULT_OVER_LIMIT", false]);
    let rows = 0;
    for await (const event of drover.query("d", {}, { maxResultBytes: 1500 }).stream())
      if (event.type === "batch") rows += event.batch.values.length;
    expect(rows).toBe(2);
  });

  test("of an endless driver waits for a slow reader and is cancelled when it leaves", async () => {
    let written = 0;
    let paused = false;
    const left = Promise.withResolvers<void>();
    const peer = await new FaultPeer()
      .stream(QueryService.method.runQuery, (stream) => {
        const rows = Array.from({ length: 1000 }, () => ({
          values: [create(ValueSchema, { kind: { case: "stringValue", value: "x".repeat(1000) } })],
        }));
        stream.once("cancelled", () => left.resolve());
        stream.write({ event: frameStart() } as never);
        const write = () => {
          while (!paused) {
            written += 1;
            const event = { case: "frameBatch", value: { frameId: 1n, seq: BigInt(written), rows } };
            if (!stream.write({ event } as never)) {
              stream.once("drain", write);
              return;
            }
          }
        };
        write();
      })
      .listen();
    await using _peer = peer;
    await using drover = await connect(peer);
    let read = 0;
    for await (const event of drover.query("d", {}, { integers: "string" }).stream()) {
      if (event.type !== "batch") continue;
      read += 1;
      // Time for the peer to run ahead if nothing held it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (read === 5) break;
    }
    paused = true;
    expect(written).toBeLessThan(read + 40);
    await left.promise;
  });
});

describe("errors", () => {
  const details = [
    anyPack(
      ErrorInfoSchema,
      create(ErrorInfoSchema, { reason: "POOL_FULL", domain: "drover.dev", metadata: { pool: "readers" } }),
    ),
    anyPack(
      BadRequestSchema,
      create(BadRequestSchema, { fieldViolations: [{ field: "a.b[0]", description: "is wrong" }] }),
    ),
    anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: create(DurationSchema, { nanos: 1 }) })),
    anyPack(HelpSchema, create(HelpSchema, { links: [{ description: "Try again later." }] })),
  ];

  test("carry what the driver says", async () => {
    const metadata = new Metadata();
    const value = create(StatusSchema, { code: status.RESOURCE_EXHAUSTED, message: "256 wait already", details });
    metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, value)));
    await using peer = await new FaultPeer()
      .unary(DatasetService.method.getDataset, () => {
        throw Object.assign(new Error("256 wait already"), { code: status.RESOURCE_EXHAUSTED, metadata });
      })
      .listen();
    await using drover = await connect(peer);
    const error = await failure(drover.dataset("d"));
    expect(error).toMatchObject({
      name: "DroverError",
      message: "256 wait already",
      reason: "POOL_FULL",
      code: status.RESOURCE_EXHAUSTED,
      retryable: true,
      help: "Try again later.",
      metadata: { pool: "readers" },
      violations: [{ field: "a.b[0]", description: "is wrong" }],
    });
  });

  test.each([
    ["details that are no status", Buffer.from("nonsense")],
    ["no details", undefined],
  ])("with %s keep code and message", async (_name, bytes) => {
    const metadata = new Metadata();
    if (bytes !== undefined) metadata.set("grpc-status-details-bin", bytes);
    await using peer = await new FaultPeer()
      .unary(DatasetService.method.getDataset, () => {
        throw Object.assign(new Error("no"), { code: status.NOT_FOUND, details: "no", metadata });
      })
      .listen();
    await using drover = await connect(peer);
    expect(await failure(drover.dataset("d"))).toMatchObject({ reason: "NOT_FOUND", code: 5, message: "no" });
  });

  test("of an aborted signal, a deadline and a closed client are told apart", async () => {
    const cancelled = Promise.withResolvers<void>();
    const controller = new AbortController();
    await using peer = await new FaultPeer()
      .unary(DatasetService.method.getDataset, (_request, call) => {
        call.once("cancelled", () => cancelled.resolve());
        // Not before the call has come: the peer would see nothing of it.
        setTimeout(() => controller.abort(), 20);
        return new Promise(() => {});
      })
      .listen();
    const drover = await connect(peer);
    expect((await failure(drover.dataset("d", { signal: controller.signal }))).reason).toBe("CANCELLED");
    await cancelled.promise;
    expect((await failure(drover.dataset("d", { signal: AbortSignal.abort() }))).reason).toBe("CANCELLED");
    expect((await failure(drover.dataset("d", { signal: AbortSignal.timeout(20) }))).reason).toBe("DEADLINE_EXCEEDED");
    expect((await failure(drover.dataset("d", { timeoutMs: 20 }))).reason).toBe("DEADLINE_EXCEEDED");
    await drover.close();
    await drover.close();
    expect((await failure(drover.dataset("d"))).reason).toBe("CLIENT_CLOSED");
  });

  test("of calls that are under way when the client is closed come at once, and the peer learns of it", async () => {
    const left = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const arrived = Promise.withResolvers<void>();
    await using peer = await new FaultPeer()
      .unary(DatasetService.method.getDataset, (_request, call) => {
        call.once("cancelled", () => left[0]?.resolve());
        arrived.resolve();
        return new Promise(() => {});
      })
      .stream(QueryService.method.runQuery, (stream) => {
        stream.once("cancelled", () => left[1]?.resolve());
        stream.write({ event: accepted } as never);
      })
      .listen();
    const drover = await connect(peer);
    const unary = failure(drover.dataset("d"));
    const events = drover.query("d", {}).stream();
    expect((await events.next()).value).toMatchObject({ type: "accepted" });
    const stream = failure(events.next());
    await arrived.promise;
    await drover.close();
    expect((await unary).reason).toBe("CLIENT_CLOSED");
    expect((await stream).reason).toBe("CLIENT_CLOSED");
    await Promise.all(left.map(({ promise }) => promise));
  });

  test("of a connection that is lost in the middle of an answer are STREAM_CUT and worth another try", async () => {
    await using peer = await new FaultPeer()
      .stream(QueryService.method.runQuery, (stream) => stream.write({ event: accepted } as never))
      .listen();
    await using proxy = await startCutProxy(peer.address);
    await using drover = await connect(proxy);
    const events = drover.query("d", {}).stream();
    await events.next();
    proxy.cut();
    expect(await failure(events.next())).toMatchObject({
      reason: "STREAM_CUT",
      retryable: true,
      message: expect.stringContaining(proxy.address),
    });
  });

  test.each<[string, (drover: Drover) => Promise<unknown>]>([
    ["a time limit that is no number", (drover) => drover.dataset("d", { timeoutMs: Number.NaN })],
    ["a header with an impossible name", (drover) => drover.dataset("d", { headers: { "a b": "c" } })],
    ["a header with an impossible value", (drover) => drover.dataset("d", { headers: { a: "b\nc" } })],
    ["a limit that is not whole", async (drover) => drover.query("d", { limit: 1.5 }).rows()],
    ["an offset below 0", async (drover) => drover.query("d", { offset: -1 }).rows()],
    ["a version that is no number", async (drover) => drover.statistics("d", { version: Number.NaN })],
    ["a page size that is no number", (drover) => drover.rows("d", { pageSize: Number.NaN }).pages().next()],
  ])("of %s are INVALID_ARGUMENT before anything is sent", async (_name, call) => {
    await using peer = await new FaultPeer().listen();
    await using drover = await connect(peer);
    expect((await failure(call(drover))).reason).toBe("INVALID_ARGUMENT");
  });

  test("do not come from a time limit that is very long or none", async () => {
    await using peer = await new FaultPeer().listen();
    await using drover = await connect(peer, { timeoutMs: Number.POSITIVE_INFINITY });
    expect((await drover.driver({ timeoutMs: Number.MAX_VALUE })).apiVersion).toBe("drover.v1");
  });

  test.each(["", "host", "host:", "host:0", "host:65536", "host:1x", "::1:80", "unix:/tmp/x", "http://host:80"])(
    "of the address %j are INVALID_ARGUMENT",
    async (address) => {
      expect((await failure(connect({ address }))).reason).toBe("INVALID_ARGUMENT");
    },
  );

  test("of a token that can't be one do not show it", async () => {
    const error = await failure(connect({ address: "127.0.0.1:1", token: "top secret\n" }));
    expect(error.reason).toBe("INVALID_ARGUMENT");
    expect(error.message).not.toContain("secret");
  });

  test("of a port where nobody listens are UNREACHABLE and worth another try", async () => {
    const peer = await new FaultPeer().listen();
    const { address } = peer;
    await peer[Symbol.asyncDispose]();
    const error = await failure(connect({ address }));
    expect([error.reason, error.retryable]).toEqual(["UNREACHABLE", true]);
    expect(error.message).toMatch(/^no driver answers at 127\.0\.0\.1:\d+: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
  });

  test("of a driver of another API name both versions", async () => {
    await using peer = await new FaultPeer("drover.v9").listen();
    expect(await failure(connect(peer))).toMatchObject({
      reason: "INCOMPATIBLE_DRIVER",
      message: expect.stringMatching(/drover\.v9.*drover\.v1/),
    });
  });
});

describe("a load that is watched", () => {
  const operation = (state: OperationState) => ({ id: "l", kind: OperationKind.LOAD, state, dataset: "d" });
  const running = { case: "accepted" as const, value: { operation: operation(OperationState.RUNNING) } };
  const done = {
    case: "completed" as const,
    value: {
      operation: operation(OperationState.SUCCEEDED),
      dataset: { name: "d", version: { number: 3n, rows: 7n } },
    },
  };
  const progress = (rows: bigint) => ({ case: "progress" as const, value: { rows } });

  test("is watched again after its stream was cut, as one stream of events", async () => {
    let calls = 0;
    await using peer = await new FaultPeer()
      .unary(DatasetService.method.loadDataset, () => ({ operation: operation(OperationState.RUNNING) }))
      .stream(DatasetService.method.watchLoad, (stream) => {
        calls += 1;
        stream.write({ event: running });
        stream.write({ event: progress(BigInt(calls)) });
        if (calls >= 3) stream.write({ event: done });
        if (calls === 2) stream.emit("error", { code: status.UNAVAILABLE, details: "cut" });
        else stream.end();
      })
      .listen();
    await using drover = await connect(peer);
    const load = await drover.load("d", { uri: "/d.csv" });
    const events: LoadEvent[] = [];
    for await (const event of load) events.push(event);
    expect(events.map(({ type }) => type)).toEqual(["accepted", "progress", "progress", "progress", "completed"]);
    expect(calls).toBe(3);
    expect((await drover.watchLoad("l").result()).dataset.version).toMatchObject({ number: 3, rows: 7 });
  });

  test("throws the error with which it failed", async () => {
    const error = create(StatusSchema, {
      code: status.INVALID_ARGUMENT,
      message: "line 3 has 4 columns, expected 5",
      details: [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "BAD_ROW", metadata: { line: "3" } }))],
    });
    await using peer = await new FaultPeer()
      .stream(DatasetService.method.watchLoad, (stream) => {
        stream.write({ event: running });
        stream.write({
          event: { case: "completed", value: { operation: { ...operation(OperationState.FAILED), error } } },
        });
        stream.end();
      })
      .listen();
    await using drover = await connect(peer);
    expect(await failure(drover.watchLoad("l").result())).toMatchObject({ reason: "BAD_ROW", metadata: { line: "3" } });
  });
});

test("events of a driver that has none end with its word instead of waiting for ever", async () => {
  await using peer = await new FaultPeer().listen();
  await using drover = await connect({ address: peer.address });
  const read = async () => {
    for await (const event of drover.events()) expect(event).toBeUndefined();
  };
  await expect(read()).rejects.toMatchObject({ reason: "UNIMPLEMENTED" });
});

test("a message that is larger than the connection takes says which limit it is", async () => {
  await using peer = await new FaultPeer()
    .unary(DatasetService.method.getDataset, () => ({ dataset: { name: "x".repeat(5_000) } }))
    .listen();
  await using drover = await connect({ address: peer.address, maxMessageBytes: 1_000 });
  await expect(drover.dataset("d")).rejects.toMatchObject({
    reason: "RESULT_OVER_LIMIT",
    message: expect.stringContaining("maxMessageBytes"),
  });
});
