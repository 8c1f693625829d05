import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { isSameRequest } from "../../../src/operations/identity.ts";
import type {
  JsonObject,
  OperationEvent,
  OperationFilter,
  OperationHandle,
  OperationRequest,
  OperationSnapshot,
  Operations,
} from "../../../src/operations/model.ts";
import { createOperations } from "../../../src/operations/operations.ts";

const { signal: forever } = new AbortController();
const stopped = new DriverError("CANCELLED", "somebody cancelled it");

function request(over: Partial<OperationRequest> = {}): OperationRequest {
  return { kind: "load", dataset: "a", requestedBy: "ann", labels: {}, configuration: { uri: "/a.csv" }, ...over };
}

function filter(over: Partial<OperationFilter> = {}): OperationFilter {
  return { pageSize: 100, pageToken: "", kinds: [], states: [], labels: {}, dataset: "", ...over };
}

/** An operation whose work ends when the test says so. */
function controlled(
  operations: Operations,
  over: Partial<OperationRequest> = {},
  options: { signal?: AbortSignal } = {},
) {
  const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
  let handle: OperationHandle | undefined;
  const { id, done } = operations.run(
    request(over),
    async (given) => {
      handle = given;
      given.begin();
      return { result: "the result", outcome: await promise };
    },
    options,
  );
  if (handle === undefined) throw new Error("the work did not begin");
  return { id, done, handle, succeed: resolve, fail: reject };
}

/** Work that stops when it is told to, like the engine's. */
function obedient(
  operations: Operations,
  over: Partial<OperationRequest> = {},
  options: { signal?: AbortSignal } = {},
) {
  return operations.run(
    request(over),
    (handle) => {
      handle.begin();
      return new Promise<never>((_resolve, reject) => {
        handle.signal.addEventListener("abort", () => reject(handle.signal.reason), { once: true });
      });
    },
    options,
  );
}

async function collect(events: AsyncIterable<OperationEvent>): Promise<OperationEvent[]> {
  const all: OperationEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

function types(events: readonly OperationEvent[]): readonly string[] {
  return events.map((event) => (event.type === "state" ? `state ${event.operation.state}` : event.type));
}

describe("an operation", () => {
  it("runs, ends with its outcome, and is kept with who asked, configuration and times", async () => {
    await using operations = createOperations();
    const { id, done } = operations.run(
      request({ id: "load-1", labels: { team: "ops" } }),
      async (handle) => {
        expect(operations.get("load-1").state).toBe("pending");
        handle.begin();
        expect(operations.get("load-1").state).toBe("running");
        handle.report({ rows: 3, fraction: 1 });
        return { result: 42, outcome: { version: 1 } };
      },
      {},
    );
    expect(id).toBe("load-1");
    expect(await done).toBe(42);
    const operation = operations.get("load-1");
    expect(operation).toMatchObject({
      state: "succeeded",
      requestedBy: "ann",
      configuration: { uri: "/a.csv" },
      labels: { team: "ops" },
      outcome: { version: 1 },
      progress: { rows: 3, fraction: 1 },
    });
    expect(operation.endTime?.getTime()).toBeGreaterThanOrEqual(Number(operation.startTime?.getTime()));
  });

  it("gets an id where the client gives none, and refuses one that is taken, also by a finished one", async () => {
    await using operations = createOperations();
    const first = operations.run(request(), async () => ({ result: 1, outcome: {} }), {});
    expect(first.id).toMatch(/^[0-9a-f-]{36}$/);
    await first.done;
    const again = () => operations.run(request({ id: first.id }), async () => ({ result: 1, outcome: {} }), {});
    expect(again).toThrow(expect.objectContaining({ reason: "OPERATION_EXISTS" }));
  });

  it("fails with the error of its work, made a DriverError", async () => {
    await using operations = createOperations();
    const cause = new Error("boom");
    const { id, done } = operations.run(request(), () => Promise.reject(cause), {});
    await expect(done).rejects.toMatchObject({ reason: "INTERNAL", cause });
    expect(operations.get(id)).toMatchObject({ state: "failed", error: { reason: "INTERNAL" } });
  });

  it("fails like one whose promise rejects when its work throws at once", async () => {
    await using operations = createOperations();
    const { done } = operations.run(
      request(),
      () => {
        throw new DriverError("POOL_FULL", "full");
      },
      {},
    );
    await expect(done).rejects.toMatchObject({ reason: "POOL_FULL" });
  });

  it("cuts a configuration that is too long to keep", async () => {
    await using operations = createOperations();
    const sql = "x".repeat(100_000);
    const { id, done } = operations.run(
      request({ configuration: { sql } }),
      async () => ({ result: 1, outcome: {} }),
      {},
    );
    await done;
    expect(operations.get(id).configuration).toEqual({
      truncated: expect.stringMatching(/^\{"sql":"x+$/),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(JSON.stringify(operations.get(id)).length).toBeLessThan(20_000);
  });

  it("is told from another that begins in the same way, though only the beginning is kept", async () => {
    await using operations = createOperations();
    const [one, other] = ["a", "b"].map((end) =>
      request({ id: "long", configuration: { sql: "x".repeat(100_000) + end } }),
    );
    await operations.run(one as OperationRequest, async () => ({ result: 1, outcome: {} }), {}).done;
    expect(isSameRequest(operations.get("long"), one as OperationRequest)).toBe(true);
    expect(isSameRequest(operations.get("long"), other as OperationRequest)).toBe(false);
  });

  it("is not known when nobody started it", async () => {
    await using operations = createOperations();
    expect(operations.find("x")).toBeUndefined();
    const missing = expect.objectContaining({ reason: "OPERATION_NOT_FOUND" });
    expect(() => operations.get("x")).toThrow(missing);
    expect(() => operations.watch("x", { signal: forever })).toThrow(missing);
    await expect(operations.cancel("x", stopped)).rejects.toMatchObject({ reason: "OPERATION_NOT_FOUND" });
  });

  it("reports its end once", async () => {
    const ended: OperationSnapshot[] = [];
    await using operations = createOperations({ onEnd: (operation) => ended.push(operation) });
    await operations.run(request({ id: "x" }), async () => ({ result: 1, outcome: { rows: 1 } }), {}).done;
    expect(ended.map(({ id, state }) => `${id} ${state}`)).toEqual(["x succeeded"]);
  });
});

describe("cancelling", () => {
  it("waits until the work has stopped", async () => {
    await using operations = createOperations();
    const work = controlled(operations);
    const cancelled = operations.cancel(work.id, stopped);
    expect(work.handle.signal.reason).toBe(stopped);
    expect(operations.get(work.id).state).toBe("cancelling");
    await setImmediate();
    work.fail(new Error("interrupted"));
    expect(await cancelled).toMatchObject({ state: "cancelled", error: stopped });
    await expect(work.done).rejects.toBe(stopped);
  });

  it("answers CANCELLING when the work does not stop in time", async () => {
    await using operations = createOperations({ cancelWaitMs: 20 });
    const work = controlled(operations);
    expect(await operations.cancel(work.id, stopped)).toMatchObject({ state: "cancelling" });
    work.succeed({});
    await work.done;
  });

  it("changes nothing about work that ends well all the same", async () => {
    await using operations = createOperations();
    const work = controlled(operations);
    const cancelled = operations.cancel(work.id, stopped);
    work.succeed({ version: 1 });
    expect(await cancelled).toMatchObject({ state: "succeeded", outcome: { version: 1 } });
    expect(await work.done).toBe("the result");
    expect(await operations.cancel(work.id, stopped)).toMatchObject({ state: "succeeded" });
  });

  it("ends one that still waits for its turn without it ever having run", async () => {
    await using operations = createOperations();
    const { id, done } = operations.run(
      request(),
      async (handle) => {
        await new Promise((resolve) => handle.signal.addEventListener("abort", resolve, { once: true }));
        handle.begin();
        return { result: 1, outcome: {} };
      },
      {},
    );
    const operation = await operations.cancel(id, stopped);
    expect(operation).toMatchObject({ state: "cancelled", error: stopped });
    expect(operation.startTime).toBeUndefined();
    await expect(done).rejects.toBe(stopped);
  });

  it.each([
    ["a deadline", new DOMException("late", "TimeoutError"), "DEADLINE_EXCEEDED"],
    ["the client's going away", new DOMException("gone", "AbortError"), "CANCELLED"],
    ["a DriverError", new DriverError("DRIVER_STOPPED", "bye"), "DRIVER_STOPPED"],
  ])("by the caller's signal tells %s", async (_what, reason, expected) => {
    await using operations = createOperations();
    const controller = new AbortController();
    const { id, done } = obedient(operations, {}, { signal: controller.signal });
    controller.abort(reason);
    await expect(done).rejects.toMatchObject({ reason: expected });
    expect(operations.get(id)).toMatchObject({ state: "cancelled", error: { reason: expected } });
  });

  it("before the start keeps the work from beginning", async () => {
    await using operations = createOperations();
    let began = false;
    const { id, done } = operations.run(
      request(),
      async () => {
        began = true;
        return { result: 1, outcome: {} };
      },
      { signal: AbortSignal.abort(stopped) },
    );
    await expect(done).rejects.toBe(stopped);
    expect(began).toBe(false);
    expect(operations.get(id).state).toBe("cancelled");
  });

  it("keeps the first reason and leaves no listener on the caller's signal", async () => {
    await using operations = createOperations();
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const { id, done } = obedient(operations, {}, { signal });
    expect(listeners).toBe(1);
    await operations.cancel(id, stopped);
    await operations.cancel(id, new DriverError("DRIVER_STOPPED", "too late"));
    await expect(done).rejects.toBe(stopped);
    expect(listeners).toBe(0);
  });
});

describe("watching", () => {
  it("gives the present state, progress, warnings and the end to each of many watchers, also to late ones", async () => {
    await using operations = createOperations({ progressIntervalMs: 0 });
    const work = controlled(operations);
    const early = collect(operations.watch(work.id, { signal: forever }));
    work.handle.report({ rows: 1 });
    await setImmediate();
    work.handle.warn("column a was widened");
    await setImmediate();
    const late = collect(operations.watch(work.id, { signal: forever }));
    await setImmediate();
    work.handle.report({ rows: 2 });
    await setImmediate();
    work.succeed({ version: 1 });
    await work.done;
    expect(types(await early)).toEqual(["state running", "progress", "warning", "progress", "ended"]);
    expect(types(await late)).toEqual(["state running", "warning", "progress", "ended"]);
    const after = await collect(operations.watch(work.id, { signal: forever }));
    expect(types(after)).toEqual(["state succeeded", "warning", "ended"]);
    expect(after.at(-1)).toMatchObject({ operation: { state: "succeeded", outcome: { version: 1 } } });
  });

  it("shows a slow watcher only the latest progress, but every warning and the end", async () => {
    await using operations = createOperations({ progressIntervalMs: 0 });
    const work = controlled(operations);
    const watcher = operations.watch(work.id, { signal: forever })[Symbol.asyncIterator]();
    expect((await watcher.next()).value).toMatchObject({ type: "state" });
    for (let row = 1; row <= 10_000; row++) {
      work.handle.report({ rows: row });
      if (row % 5000 === 0) work.handle.warn(`at ${row}`);
    }
    expect((await watcher.next()).value).toEqual({ type: "warning", message: "at 5000" });
    expect((await watcher.next()).value).toEqual({ type: "warning", message: "at 10000" });
    expect((await watcher.next()).value).toMatchObject({ type: "progress", progress: { rows: 10_000 } });
    work.succeed({});
    await work.done;
    expect((await watcher.next()).value).toMatchObject({ type: "ended" });
    expect((await watcher.next()).done).toBe(true);
  });

  it("gives progress at most once in an interval, and state changes at once", async () => {
    await using operations = createOperations({ progressIntervalMs: 60_000 });
    const work = controlled(operations);
    const events = collect(operations.watch(work.id, { signal: forever }));
    for (let row = 1; row <= 50; row++) {
      work.handle.report({ rows: row });
      await setImmediate();
    }
    const cancelled = operations.cancel(work.id, stopped);
    await setImmediate();
    work.fail(new Error("interrupted"));
    await cancelled;
    expect(types(await events)).toEqual(["state running", "progress", "state cancelling", "ended"]);
  });

  it("keeps a bounded number of warnings and says how many it left out", async () => {
    await using operations = createOperations();
    const work = controlled(operations);
    for (let index = 0; index < 5000; index++) work.handle.warn(`${index} ${"x".repeat(10_000)}`);
    const events = collect(operations.watch(work.id, { signal: forever }));
    work.succeed({});
    await work.done;
    const messages = (await events).flatMap((event) => (event.type === "warning" ? [event.message] : []));
    expect(messages).toHaveLength(1000);
    expect(Math.max(...messages.map(({ length }) => length))).toBe(2000);
    expect(messages.at(-1)).toBe("4001 more warnings were left out");
  });

  it("ends for the watcher alone when its signal is aborted", async () => {
    await using operations = createOperations();
    const work = controlled(operations);
    const controller = new AbortController();
    const reason = new Error("gone");
    const events = collect(operations.watch(work.id, { signal: controller.signal }));
    await setImmediate();
    controller.abort(reason);
    await expect(events).rejects.toBe(reason);
    expect(operations.get(work.id).state).toBe("running");
    work.succeed({});
    await work.done;
  });
});

describe("the list of operations", () => {
  it("is newest first, filtered and paged", async () => {
    await using operations = createOperations();
    for (let index = 0; index < 7; index++) {
      const kind = index % 2 === 0 ? "load" : "query";
      const over = { id: `op-${index}`, kind, dataset: `d${index % 3}`, labels: { n: String(index % 2) } } as const;
      await operations.run(request(over), async () => ({ result: 1, outcome: {} }), {}).done;
    }
    const ids = (over: Partial<OperationFilter>) => operations.list(filter(over)).operations.map(({ id }) => id);
    expect(ids({})).toEqual(["op-6", "op-5", "op-4", "op-3", "op-2", "op-1", "op-0"]);
    expect(ids({ kinds: ["query"] })).toEqual(["op-5", "op-3", "op-1"]);
    expect(ids({ labels: { n: "0" }, dataset: "d0" })).toEqual(["op-6", "op-0"]);
    expect(ids({ states: ["failed"] })).toEqual([]);
    const pages: string[][] = [];
    let pageToken = "";
    do {
      const page = operations.list(filter({ pageSize: 3, pageToken }));
      pages.push(page.operations.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(pages).toEqual([["op-6", "op-5", "op-4"], ["op-3", "op-2", "op-1"], ["op-0"]]);
  });

  it("refuses a page token that was altered or belongs to another filter", async () => {
    await using operations = createOperations();
    for (const id of ["a", "b"])
      await operations.run(request({ id }), async () => ({ result: 1, outcome: {} }), {}).done;
    const { nextPageToken } = operations.list(filter({ pageSize: 1 }));
    const invalid = expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" });
    expect(() => operations.list(filter({ pageToken: nextPageToken, dataset: "b" }))).toThrow(invalid);
    expect(() => operations.list(filter({ pageToken: `x${nextPageToken}` }))).toThrow(invalid);
    expect(() => operations.list(filter({ pageToken: "nonsense" }))).toThrow(invalid);
  });

  it("keeps so many finished loads and queries, neither at the other's cost", async () => {
    await using operations = createOperations({ maxOperations: 6 });
    const run = (id: string, kind: "load" | "query") =>
      operations.run(request({ id, kind }), async () => ({ result: 1, outcome: {} }), {}).done;
    await run("load", "load");
    for (let index = 0; index < 10; index++) await run(`query-${index}`, "query");
    expect(
      operations
        .list(filter())
        .operations.map(({ id }) => id)
        .sort(),
    ).toEqual(["load", "query-7", "query-8", "query-9"]);
    expect(operations.find("query-0")).toBeUndefined();
  });

  it("forgets finished operations after their time", async () => {
    await using operations = createOperations({ maxAgeMs: -1 });
    await operations.run(request(), async () => ({ result: 1, outcome: {} }), {}).done;
    expect(operations.list(filter()).operations).toEqual([]);
  });
});

describe("stopping", () => {
  it("takes no new work, lets work end in its time and cancels the rest", async () => {
    const operations = createOperations();
    const quick = controlled(operations, { id: "quick" });
    const slow = obedient(operations, { id: "slow" });
    const over = operations.stop({ graceMs: 50 });
    const late = () => operations.run(request(), async () => ({ result: 1, outcome: {} }), {});
    expect(late).toThrow(expect.objectContaining({ reason: "NOT_SERVING" }));
    quick.succeed({});
    expect(await quick.done).toBe("the result");
    await expect(slow.done).rejects.toMatchObject({ reason: "DRIVER_STOPPED" });
    await over;
    await operations.stop({ graceMs: 0 });
    expect(operations.get("slow")).toMatchObject({ state: "cancelled", error: { reason: "DRIVER_STOPPED" } });
  });

  it("does not wait for ever for work that doesn't listen", async () => {
    const operations = createOperations({ cancelWaitMs: 20 });
    const deaf = controlled(operations);
    await operations.stop({ graceMs: 0 });
    expect(operations.get(deaf.id).state).toBe("cancelling");
    deaf.succeed({});
    await deaf.done;
  });
});
