import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { startCutProxy } from "../../../test/helpers/cut-proxy.ts";
import { collectMethod } from "../../../test/helpers/stream-server.ts";
import { transportOf } from "../src/client.ts";
import { RetryBudget } from "../src/follow/retry-budget.ts";
import { DatasetService } from "../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../src/gen/drover/v1/driver_service_pb.js";
import { OperationService } from "../src/gen/drover/v1/operation_service_pb.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { DroverError } from "../src/index.ts";
import { FaultPeer } from "./fault-peer.ts";
import { following, PeerFinder } from "./peer-finder.ts";

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(DroverError);
    return error as DroverError;
  }
  throw new Error("it did not fail");
}

/** The error that a driver sends. */
function refusal(reason: string, code: number): Error {
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: "drover.dev" }))];
  const metadata = new Metadata();
  const value = create(StatusSchema, { code, message: reason, details });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, value)));
  return Object.assign(new Error(reason), { code, metadata });
}

const cut = () => Object.assign(new Error("cut"), { code: status.UNAVAILABLE, details: "cut" });

/** Answers `GetDataset` and counts; `fail` says what it fails with instead. */
function peer(name: string, fail?: () => Error | undefined) {
  const calls = { get: 0, delete: 0, drain: 0 };
  const answer = <T>(kind: keyof typeof calls, value: T) => {
    calls[kind]++;
    const error = fail?.();
    if (error !== undefined) throw error;
    return value;
  };
  const made = new FaultPeer()
    .unary(DatasetService.method.getDataset, () => answer("get", { dataset: { name } }))
    .unary(DatasetService.method.deleteDataset, () => answer("delete", {}))
    .unary(DriverService.method.drain, () => answer("drain", { deadline: { seconds: 1n } }));
  return made.listen().then((listening) => Object.assign(listening, { calls }));
}

describe("a call whose driver is lost", () => {
  test.each([
    ["refuses it because it drains", () => refusal("NOT_SERVING", status.UNAVAILABLE)],
    ["is cut off", cut],
    ["stopped before it was done", () => refusal("DRIVER_STOPPED", status.UNAVAILABLE)],
  ])("is repeated at the next one where it %s", async (_name, error) => {
    await using old = await peer("old", error);
    await using next = await peer("next");
    const finder = new PeerFinder(old, next);
    await using drover = await following(finder);
    expect((await drover.dataset("d")).name).toBe("next");
    expect(old.calls.get).toBe(1);
    expect(finder.searches).toEqual([old.address]);
    expect(drover.address).toBe(next.address);
    // Later calls go there at once.
    await drover.dataset("d");
    expect([old.calls.get, finder.searches.length]).toEqual([1, 1]);
  });

  test("is not repeated where nobody knows whether it took effect", async () => {
    await using old = await peer("old", cut);
    await using next = await peer("next");
    await using drover = await following(new PeerFinder(old, next));
    const error = await failure(drover.deleteDataset("d"));
    expect(error).toMatchObject({ reason: "INSTANCE_LOST", retryable: false, metadata: { instanceId: old.address } });
    expect(error.message).toContain("DeleteDataset: whether it took effect is not known");
    expect((error.cause as DroverError).reason).toBe("UNREACHABLE");
    expect(next.calls.delete).toBe(0);
  });

  test("is repeated whatever it does where it was refused", async () => {
    await using old = await peer("old", () => refusal("NOT_SERVING", status.UNAVAILABLE));
    await using next = await peer("next");
    await using drover = await following(new PeerFinder(old, next));
    await drover.deleteDataset("d");
    expect(next.calls.delete).toBe(1);
  });

  test("is repeated whatever it does where nothing was sent", async () => {
    const old = await peer("old");
    await using next = await peer("next");
    await using drover = await following(new PeerFinder(old, next));
    await drover.dataset("d");
    await old[Symbol.asyncDispose]();
    // The connection's end may not have been noticed yet: then it is not known.
    await expect.poll(async () => drover.deleteDataset("d").then(() => "done")).toBe("done");
    expect(next.calls.delete).toBe(1);
  });

  test("and that asks that driver to end is not sent to the next one", async () => {
    await using old = await peer("old", () => refusal("NOT_SERVING", status.UNAVAILABLE));
    await using next = await peer("next");
    await using drover = await following(new PeerFinder(old, next));
    expect((await failure(drover.drain({ reason: "test", timeoutMs: 1 }))).reason).toBe("NOT_SERVING");
    expect(next.calls.drain).toBe(0);
  });

  test("fails with what the driver says against the call itself", async () => {
    await using old = await peer("old", () => refusal("DATASET_NOT_FOUND", status.NOT_FOUND));
    await using next = await peer("next");
    const finder = new PeerFinder(old, next);
    await using drover = await following(finder);
    expect((await failure(drover.dataset("d"))).reason).toBe("DATASET_NOT_FOUND");
    expect(finder.searches).toEqual([]);
  });

  test("waits with all others for one search", async () => {
    await using old = await peer("old", cut);
    await using next = await peer("next");
    const finder = new PeerFinder(old, next);
    await using drover = await following(finder);
    const names = await Promise.all(Array.from({ length: 50 }, async () => (await drover.dataset("d")).name));
    expect(new Set(names)).toEqual(new Set(["next"]));
    expect(finder.searches).toEqual([old.address]);
  });

  test("fails at its deadline while no driver comes, and the search ends with the last who waits", async () => {
    await using old = await peer("old", cut);
    const finder = new PeerFinder(old);
    await using drover = await following(finder);
    const errors = await Promise.all([
      failure(drover.dataset("d", { timeoutMs: 3_000 })),
      failure(drover.dataset("d", { timeoutMs: 4_000 })),
      failure(drover.dataset("d", { signal: AbortSignal.timeout(3_500) })),
    ]);
    expect(errors.map(({ reason }) => reason)).toEqual(Array(3).fill("DEADLINE_EXCEEDED"));
    expect(errors[0]?.message).toMatch(/on the way to the next driver, after this: no driver answers at .*: cut/);
    // The next call searches anew.
    finder.places.push(await peer("late"));
    expect((await drover.dataset("d")).name).toBe("late");
  });

  test("fails when the search takes too long although its caller has all the time", async () => {
    await using old = await peer("old", cut);
    await using drover = await following(new PeerFinder(old), { searchTimeoutMs: 100 });
    const error = await failure(drover.dataset("d", { timeoutMs: Number.POSITIVE_INFINITY }));
    expect([error.reason, error.retryable]).toEqual(["UNREACHABLE", true]);
  });

  test("fails when the client is closed", async () => {
    await using old = await peer("old", cut);
    const finder = new PeerFinder(old);
    const drover = await following(finder);
    const waiting = failure(drover.dataset("d"));
    await expect.poll(() => finder.searches).toEqual([old.address]);
    await drover.close();
    expect((await waiting).reason).toBe("CLIENT_CLOSED");
    expect((await failure(drover.dataset("d"))).reason).toBe("CLIENT_CLOSED");
  });

  test("is given up after three drivers, which it may have killed", async () => {
    const peers = await Promise.all(Array.from({ length: 6 }, (_, index) => peer(`peer ${index}`, cut)));
    const finder = new PeerFinder(...peers);
    // Every search finds the next one that was not tried.
    const find = finder.find.bind(finder);
    finder.find = (options) => {
      if (options.lost !== undefined) finder.places.shift();
      return find(options);
    };
    await using drover = await following(finder);
    expect((await failure(drover.dataset("d"))).reason).toBe("UNREACHABLE");
    expect(peers.filter(({ calls }) => calls.get > 0).length).toBe(3);
    for (const each of peers) await each[Symbol.asyncDispose]();
  });
});

describe("the retry budget", () => {
  test("is spent once for all calls that one loss has struck", async () => {
    let lost = true;
    await using old = await peer("old", () => (lost ? cut() : undefined));
    await using next = await peer("next");
    await using drover = await following(new PeerFinder(old, next), { budget: { tokens: 1, perSuccess: 0 } });
    await Promise.all(Array.from({ length: 20 }, () => drover.dataset("d")));
    lost = false;
    expect(drover.address).toBe(next.address);
  });

  test("exhausted, leaves calls with their own error", async () => {
    await using one = await peer("one", () => refusal("NOT_SERVING", status.UNAVAILABLE));
    await using two = await peer("two", () => refusal("NOT_SERVING", status.UNAVAILABLE));
    const finder = new PeerFinder(one, two);
    await using drover = await following(finder, { budget: { tokens: 3, perSuccess: 0 } });
    expect((await failure(drover.dataset("d"))).reason).toBe("NOT_SERVING");
    expect(one.calls.get + two.calls.get).toBe(4);
    expect((await failure(drover.dataset("d"))).reason).toBe("NOT_SERVING");
    expect(one.calls.get + two.calls.get).toBe(5);
  });

  test("is filled up by successes", async () => {
    let failures = 0;
    const fail = () => (failures-- > 0 ? cut() : undefined);
    await using one = await peer("one", fail);
    await using two = await peer("two", fail);
    await using drover = await following(new PeerFinder(one, two), { budget: { tokens: 1, perSuccess: 0.5 } });
    const strike = () => {
      failures = 1;
      return drover.dataset("d");
    };
    await strike();
    expect((await failure(strike())).reason).toBe("UNREACHABLE");
    await drover.dataset("d");
    await strike();
    expect((await failure(strike())).reason).toBe("UNREACHABLE");
  });
});

test("a client that asks seldom outlives the loss of any number of drivers", () => {
  let now = 0;
  const budget = new RetryBudget({ tokens: 2, perMinute: 1, now: () => now });
  const pay = () => budget.pay({}, 1);
  expect([pay(), pay(), pay()]).toEqual([true, true, false]);
  for (let loss = 0; loss < 50; loss++) {
    now += 60_000;
    expect(pay()).toBe(true);
  }
  now += 30_000;
  expect(pay()).toBe(false);
  now += 1e9;
  expect([pay(), pay(), pay()]).toEqual([true, true, false]);
});

describe("a call that runs while its driver drains", () => {
  test("ends there while new ones go to the next, and the old connection is closed after it", async () => {
    const answer = Promise.withResolvers<void>();
    await using peerOfOld = await new FaultPeer()
      .unary(DatasetService.method.getDataset, async () => {
        await answer.promise;
        return { dataset: { name: "old" } };
      })
      .unary(OperationService.method.getOperation, () => {
        throw refusal("NOT_SERVING", status.UNAVAILABLE);
      })
      .listen();
    await using old = await startCutProxy(peerOfOld.address);
    await using next = await peer("next");
    await using drover = await following(new PeerFinder(old, next));
    const running = drover.dataset("d");
    await failure(drover.operation("o"));
    expect((await drover.dataset("d")).name).toBe("next");
    expect(old.connections).toBeGreaterThan(0);
    answer.resolve();
    expect((await running).name).toBe("old");
    await expect.poll(() => old.connections).toBe(0);
  });
});

describe("a client's stream whose driver is lost", () => {
  /** Counts what it takes; `fail` says what it fails with after so many messages. */
  async function taker(fail?: { readonly after: number; readonly error: () => Error }) {
    const taken: string[] = [];
    const made = await new FaultPeer()
      .clientStream(collectMethod, async (requests) => {
        if (fail?.after === 0) throw fail.error();
        for await (const { dataset } of requests) {
          taken.push(dataset);
          if (taken.length === fail?.after) throw fail.error();
        }
        return {};
      })
      .listen();
    return Object.assign(made, { taken });
  }

  async function* items(number: number, closed?: () => void) {
    try {
      for (let index = 1; index <= number; index++) yield { dataset: `d${index}` };
    } finally {
      closed?.();
    }
  }

  test("is sent from its beginning to the next one where it was refused", async () => {
    await using old = await taker({ after: 0, error: () => refusal("NOT_SERVING", status.UNAVAILABLE) });
    await using next = await taker();
    await using drover = await following(new PeerFinder(old, next));
    await transportOf(drover).clientStream(collectMethod, items(3), {});
    expect(next.taken).toEqual(["d1", "d2", "d3"]);
  });

  test("is not sent again where nobody knows how much of it took effect", async () => {
    await using old = await taker({ after: 2, error: cut });
    await using next = await taker();
    await using drover = await following(new PeerFinder(old, next));
    let closed = false;
    const noteClosed = () => {
      closed = true;
    };
    const call = transportOf(drover).clientStream(collectMethod, items(1_000, noteClosed), {});
    expect(await failure(call)).toMatchObject({ reason: "INSTANCE_LOST", metadata: { instanceId: old.address } });
    expect(next.taken).toEqual([]);
    expect(closed).toBe(true);
  });

  test("fails with what its own items fail with", async () => {
    await using peer = await taker();
    await using drover = await following(new PeerFinder(peer));
    async function* broken() {
      yield* items(3);
      throw new RangeError("no more");
    }
    await expect(transportOf(drover).clientStream(collectMethod, broken(), {})).rejects.toThrow(RangeError);
  });
});
