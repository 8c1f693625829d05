import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { OperationService } from "../src/gen/drover/v1/operation_service_pb.js";
import { QueryService, type RunQueryResponse } from "../src/gen/drover/v1/query_service_pb.js";
import { TypeKind } from "../src/gen/drover/v1/types_pb.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { connect, type Drover, DroverError, type Query } from "../src/index.ts";
import { FaultPeer } from "./fault-peer.ts";
import { following, PeerFinder } from "./peer-finder.ts";

type Event = NonNullable<Exclude<RunQueryResponse["event"], { case: undefined }>>;
interface EventInit {
  readonly case: Event["case"];
  readonly value: object;
}

const columns = [{ name: "n", type: "BIGINT", kind: TypeKind.INTEGER }];
const start = (frameId: bigint, exact: boolean): EventInit => ({
  case: "frameStart",
  value: { frameId, exact, columns, arrowSchema: Buffer.from(`<schema ${frameId}>`) },
});
const batch = (frameId: bigint, seq: bigint, text: string): EventInit => ({
  case: "frameBatch",
  value: {
    frameId,
    seq,
    arrow: Buffer.from(`<${text}>`),
    rows: [{ values: [create(ValueSchema, { kind: { case: "stringValue", value: text } })] }],
  },
});
const end = (frameId: bigint, rows: bigint): EventInit => ({ case: "frameEnd", value: { frameId, rows } });

/** A first look, then the exact answer in two parts. */
const script: readonly EventInit[] = [
  { case: "accepted", value: { operationId: "q" } },
  start(1n, false),
  batch(1n, 1n, "0"),
  end(1n, 1n),
  start(2n, true),
  batch(2n, 1n, "1"),
  batch(2n, 2n, "2"),
  end(2n, 2n),
  { case: "completed", value: { rows: 2n } },
];

/** The error that a driver sends. */
function refusal(reason: string, code: number): Error {
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: "drover.dev" }))];
  const metadata = new Metadata();
  const value = create(StatusSchema, { code, message: reason, details });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, value)));
  return Object.assign(new Error(reason), { code, metadata });
}

const cut = { code: status.UNAVAILABLE, details: "cut" };
const notFound = () => refusal("OPERATION_NOT_FOUND", status.NOT_FOUND);

interface PeerOptions {
  /** After how many events each call is cut, in order; later ones come through. */
  readonly cuts?: readonly number[];
  /** What WatchQuery answers instead of going on. */
  readonly watch?: () => Error;
  readonly events?: readonly EventInit[];
}

/** Keeps a query and goes on with it, as a driver does. */
async function keeper({ cuts = [], watch, events = script }: PeerOptions = {}) {
  const calls: string[] = [];
  const left = [...cuts];
  const cancelled = Promise.withResolvers<string>();
  const send = (
    stream: { write(message: object): unknown; emit(name: string, error: object): unknown; end(): unknown },
    from: number,
    wrap: (event: object) => object,
  ) => {
    const count = left.shift();
    const upTo = count === undefined ? events.length : Math.min(from + count, events.length);
    for (let index = from; index < upTo; index++) {
      stream.write(wrap({ event: { case: "progress", value: { rows: 1n } } }));
      stream.write(wrap({ eventId: BigInt(index + 1), event: events[index] }));
    }
    if (count === undefined) stream.end();
    else stream.emit("error", cut);
  };
  const peer = await new FaultPeer()
    .stream(QueryService.method.runQuery, (stream, { operationId, reattachable }) => {
      calls.push(`run ${operationId} ${reattachable}`);
      send(stream as never, 0, (event) => event);
    })
    .stream(QueryService.method.watchQuery, (stream, { operationId, afterEventId }) => {
      calls.push(`watch ${operationId} ${afterEventId}`);
      if (watch !== undefined) stream.emit("error", watch());
      else send(stream as never, Number(afterEventId), (event) => ({ event }));
    })
    .unary(OperationService.method.cancelOperation, ({ id }) => {
      cancelled.resolve(id);
      return { operation: { id } };
    })
    .listen();
  return Object.assign(peer, { calls, cancelled: cancelled.promise });
}

/** The events of a query's stream in short, progress left out. */
async function told(query: Query): Promise<string[]> {
  const events: string[] = [];
  for await (const event of query.stream()) {
    if (event.type === "batch") events.push(`${event.frameId}: ${event.batch.rows.map(({ n }) => n)}`);
    else if (event.type === "frameStart" || event.type === "frameEnd") events.push(`${event.type} ${event.frameId}`);
    else if (event.type !== "progress") events.push(event.type);
  }
  return events;
}

const whole = [
  "accepted",
  ...["frameStart 1", "1: 0", "frameEnd 1"],
  ...["frameStart 2", "2: 1", "2: 2", "frameEnd 2"],
  "completed",
];
const indices = Array.from({ length: script.length + 1 }, (_, index) => index);

/** Follows a driver that is there again after each broken connection. */
function followingOne(peer: FaultPeer): Promise<Drover> {
  const finder = new PeerFinder(peer);
  finder.rejoinable = true;
  return following(finder);
}

const ask = (drover: Drover) => drover.query("d", {}, { operationId: "q" });

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(DroverError);
    return error as DroverError;
  }
  throw new Error("it did not fail");
}

describe("a query whose connection breaks", () => {
  describe.each([
    ["to an address", (peer: FaultPeer) => connect(peer)],
    ["to the driver that counts", (peer: FaultPeer) => followingOne(peer)],
  ])("%s", (_name, client) => {
    test.each(indices)("after event %i goes on, misses nothing and repeats nothing", async (count) => {
      await using peer = await keeper({ cuts: [count] });
      await using drover = await client(peer);
      expect(await told(ask(drover))).toEqual(whole);
      const again = count === script.length ? [] : [`watch q ${count}`];
      expect(peer.calls).toEqual(["run q true", ...again]);
    });

    test.each(indices)("after event %i gives the whole answer in every form", async (count) => {
      await using peer = await keeper({ cuts: [count, 1, 0] });
      await using drover = await client(peer);
      expect(await ask(drover).rows()).toEqual([{ n: 1n }, { n: 2n }]);
      await using another = await keeper({ cuts: [count, 1, 0] });
      await using other = await client(another);
      const chunks: Uint8Array[] = [];
      for await (const chunk of ask(other).arrow()) chunks.push(chunk);
      expect(Buffer.concat(chunks.slice(0, -1)).toString()).toBe("<schema 2><1><2>");
    });
  });

  test("runs again under its id where the driver does not know it yet", async () => {
    await using peer = await keeper({ cuts: [0], watch: notFound });
    await using drover = await connect(peer);
    expect(await told(ask(drover))).toEqual(whole);
    expect(peer.calls).toEqual(["run q true", "watch q 0", "run q true"]);
  });

  test("fails where what it asks for is no longer kept", async () => {
    await using peer = await keeper({ cuts: [6], watch: () => refusal("RESULT_EXPIRED", status.OUT_OF_RANGE) });
    await using drover = await connect(peer);
    expect((await failure(ask(drover).rows())).reason).toBe("RESULT_EXPIRED");
  });

  test("again and again without getting on fails with what was lost", async () => {
    await using peer = await keeper({ cuts: [3, ...Array<number>(50).fill(0)] });
    await using drover = await followingOne(peer);
    expect((await failure(ask(drover).rows())).reason).toBe("UNREACHABLE");
    expect(peer.calls.length).toBeLessThanOrEqual(11);
  });

  test("fails where an event comes twice", async () => {
    await using peer = await new FaultPeer()
      .stream(QueryService.method.runQuery, (stream) => {
        for (const eventId of [1n, 2n, 2n]) stream.write({ eventId, event: script[1] } as never);
        stream.end();
      })
      .listen();
    await using drover = await connect(peer);
    expect((await failure(ask(drover).rows())).reason).toBe("UNEXPECTED_MESSAGE");
  });
});

describe("a query whose driver is lost", () => {
  test.each(indices.slice(0, -1))(
    "after event %i runs again at the next one, and begun frames are replaced",
    async (count) => {
      await using old = await keeper({ cuts: [count] });
      await using next = await keeper();
      const finder = new PeerFinder(old, next);
      await using drover = await following(finder);
      const events = await told(ask(drover));
      // What had come, and the whole of the second run with its frames counted on.
      const begun = whole.slice(0, count);
      const frames = Math.max(0, ...begun.map((event) => Number(/\d+/.exec(event)?.[0] ?? 0)));
      const renumber = (event: string) => event.replace(/(?<=frame\w+ )\d+|^\d+/, (id) => String(Number(id) + frames));
      expect(events).toEqual([...begun, ...whole.slice(begun.length > 0 ? 1 : 0).map(renumber)]);
      expect(next.calls).toEqual(["run q true"]);
      expect(finder.searches).toEqual([old.address]);
    },
  );

  test("answers with the rows of one run only", async () => {
    await using old = await keeper({ cuts: [6] });
    await using next = await keeper();
    await using drover = await following(new PeerFinder(old, next));
    const query = ask(drover);
    expect(await query.rows()).toEqual([{ n: 1n }, { n: 2n }]);
    expect(query.summary?.rows).toBe(2);
  });

  test("goes on there where it is only draining", async () => {
    await using old = await keeper({ cuts: [6] });
    await using next = await keeper();
    const finder = new PeerFinder(old, next);
    finder.rejoinable = true;
    await using drover = await following(finder);
    expect(await told(ask(drover))).toEqual(whole);
    expect([old.calls, next.calls]).toEqual([["run q true", "watch q 6"], []]);
  });

  test.each([
    [5, "answers"],
    [6, "fails with INSTANCE_LOST"],
    [8, "fails with INSTANCE_LOST"],
  ])("after event %i %s where Arrow bytes are passed on", async (count, outcome) => {
    await using old = await keeper({ cuts: [count] });
    await using next = await keeper();
    await using drover = await following(new PeerFinder(old, next));
    const chunks: Uint8Array[] = [];
    const read = async () => {
      for await (const chunk of ask(drover).arrow()) chunks.push(chunk);
    };
    if (outcome === "answers") {
      await read();
      expect(Buffer.concat(chunks.slice(0, -1)).toString()).toBe("<schema 2><1><2>");
      return;
    }
    const error = await failure(read());
    expect([error.reason, next.calls]).toEqual(["INSTANCE_LOST", []]);
  });

  test("fails with what was lost where the next one has another operation of its id", async () => {
    await using old = await keeper({ cuts: [6] });
    await using next = await new FaultPeer()
      .stream(QueryService.method.runQuery, (stream) => {
        stream.emit("error", refusal("OPERATION_EXISTS", status.ALREADY_EXISTS));
      })
      .listen();
    await using drover = await following(new PeerFinder(old, next));
    expect((await failure(ask(drover).rows())).reason).toBe("STREAM_CUT");
  });
});

describe("a query that is left early", () => {
  test.each([
    ["by its reader", (_drover: Drover) => {}],
    ["and whose client is closed at once", (drover: Drover) => drover.close()],
  ])("%s is cancelled in the driver", async (_name, then) => {
    await using peer = await keeper({ events: script.slice(0, 3) });
    await using drover = await connect(peer);
    for await (const event of ask(drover).stream()) if (event.type === "batch") break;
    await then(drover);
    expect(await peer.cancelled).toBe("q");
  });

  test("by its signal is cancelled in the driver", async () => {
    await using peer = await keeper({ cuts: [2], watch: notFound });
    await using drover = await connect(peer);
    const controller = new AbortController();
    const query = drover.query("d", {}, { operationId: "q", signal: controller.signal });
    const events = query.stream();
    await events.next();
    controller.abort();
    expect((await failure(events.next())).reason).toBe("CANCELLED");
    expect(await peer.cancelled).toBe("q");
  });

  test("is over with its last event, whatever the driver still says of it", async () => {
    await using peer = await keeper({ events: [...script, { case: "progress", value: { rows: 9n } }] });
    await using drover = await connect(peer);
    expect(await told(ask(drover))).toEqual(whole);
  });

  test("is not cancelled where it has come to its end", async () => {
    await using peer = await keeper();
    const drover = await connect(peer);
    for await (const event of ask(drover).stream()) if (event.type === "completed") break;
    await ask(drover).rows();
    await drover.close();
    await using other = await connect(peer);
    await other.cancel("another");
    expect(await peer.cancelled).toBe("another");
  });
});
