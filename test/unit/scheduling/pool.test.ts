import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Lane, Permit } from "../../../src/scheduling/model.ts";
import { createPool } from "../../../src/scheduling/pool.ts";

function ask(caller: string, lane: Lane = "interactive", signal = new AbortController().signal) {
  return { caller, lane, signal };
}

describe("a pool", () => {
  it("gives a free place at once and says how full it is", async () => {
    const pool = createPool({ name: "readers", size: 2, maxQueued: 5 });
    using permit = await pool.acquire(ask("a"));
    expect(permit.queuedMs).toBe(0);
    expect(pool.status()).toEqual({ name: "readers", size: 2, running: 1, queued: 0, maxQueued: 5 });
  });

  it("gives a place back once however often the permit is disposed", async () => {
    const pool = createPool({ name: "readers", size: 1, maxQueued: 5 });
    const first = await pool.acquire(ask("a"));
    const second = pool.acquire(ask("a"));
    const third = pool.acquire(ask("a"));
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    const permit = await second;
    expect(pool.status()).toMatchObject({ running: 1, queued: 1 });
    permit[Symbol.dispose]();
    (await third)[Symbol.dispose]();
    expect(pool.status()).toMatchObject({ running: 0, queued: 0 });
  });

  it("refuses with POOL_FULL as soon as the queue is full", async () => {
    const pool = createPool({ name: "loaders", size: 1, maxQueued: 1 });
    using _running = await pool.acquire(ask("a"));
    const waiting = pool.acquire(ask("a"));
    await expect(pool.acquire(ask("b"))).rejects.toMatchObject({
      reason: "POOL_FULL",
      metadata: { pool: "loaders", size: "1", queued: "1", maxQueued: "1" },
    });
    _running[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
  });

  it("removes a waiter whose signal is aborted at once and rejects with the reason", async () => {
    const pool = createPool({ name: "readers", size: 1, maxQueued: 1 });
    const running = await pool.acquire(ask("a"));
    const controller = new AbortController();
    const waiting = pool.acquire(ask("b", "interactive", controller.signal));
    const reason = new Error("gone");
    controller.abort(reason);
    expect(pool.status()).toMatchObject({ running: 1, queued: 0 });
    await expect(waiting).rejects.toBe(reason);
    await expect(pool.acquire(ask("b", "interactive", controller.signal))).rejects.toBe(reason);
    running[Symbol.dispose]();
    expect(pool.status()).toMatchObject({ running: 0, queued: 0 });
  });

  it("keeps a place that was already given when the signal is aborted afterwards", async () => {
    const pool = createPool({ name: "readers", size: 1, maxQueued: 1 });
    const running = await pool.acquire(ask("a"));
    const controller = new AbortController();
    const waiting = pool.acquire(ask("b", "interactive", controller.signal));
    running[Symbol.dispose]();
    controller.abort(new Error("too late"));
    using permit = await waiting;
    expect(permit.queuedMs).toBeGreaterThanOrEqual(0);
    expect(pool.status()).toMatchObject({ running: 1, queued: 0 });
  });

  it("gives callers turns whatever one of them asks for", async () => {
    const pool = createPool({ name: "readers", size: 1, maxQueued: 100 });
    const running = await pool.acquire(ask("greedy"));
    const order: string[] = [];
    const work = (name: string) =>
      pool.acquire(ask(name)).then((permit) => {
        order.push(name);
        permit[Symbol.dispose]();
      });
    const all = [...Array.from({ length: 5 }, () => work("greedy")), work("modest"), work("late"), work("modest")];
    running[Symbol.dispose]();
    await Promise.all(all);
    expect(order).toEqual(["greedy", "modest", "late", "greedy", "modest", "greedy", "greedy", "greedy"]);
  });

  it("leaves one place of two or more to the interactive lane", async () => {
    const pool = createPool({ name: "readers", size: 2, maxQueued: 10 });
    using _batch = await pool.acquire(ask("a", "batch"));
    const second = pool.acquire(ask("b", "batch"));
    expect(pool.status()).toMatchObject({ running: 1, queued: 1 });
    {
      using _interactive = await pool.acquire(ask("c"));
      expect(pool.status()).toMatchObject({ running: 2, queued: 1 });
    }
    expect(pool.status()).toMatchObject({ running: 1, queued: 1 });
    _batch[Symbol.dispose]();
    (await second)[Symbol.dispose]();
  });

  it("lets the batch lane use the only place of a pool of one", async () => {
    const pool = createPool({ name: "readers", size: 1, maxQueued: 0 });
    using _permit = await pool.acquire(ask("a", "batch"));
    expect(pool.status().running).toBe(1);
  });

  it("never starves the batch lane while interactive requests keep coming", async () => {
    const pool = createPool({ name: "readers", size: 1, maxQueued: 100 });
    const running = await pool.acquire(ask("a"));
    const order: Lane[] = [];
    const work = (lane: Lane) =>
      pool.acquire(ask("a", lane)).then((permit) => {
        order.push(lane);
        permit[Symbol.dispose]();
      });
    const all = [work("batch"), work("batch"), ...Array.from({ length: 20 }, () => work("interactive"))];
    running[Symbol.dispose]();
    await Promise.all(all);
    expect(order.slice(0, 8).filter((lane) => lane === "batch")).toHaveLength(2);
  });

  it("never runs more than its size, loses nobody and starves nobody, whatever happens", async () => {
    const step = fc.record({
      act: fc.constantFrom("acquire", "acquire", "release", "abort"),
      caller: fc.constantFrom("a", "b", "c"),
      lane: fc.constantFrom<Lane>("interactive", "batch"),
      pick: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 6 }),
        fc.array(step, { maxLength: 80 }),
        async (size, maxQueued, steps) => {
          const pool = createPool({ name: "p", size, maxQueued });
          const held: { permit: Permit; lane: Lane }[] = [];
          const waiting = new Set<AbortController>();
          const outcomes = { granted: 0, aborted: 0, refused: 0 };
          let asked = 0;
          const check = () => {
            const { running, queued } = pool.status();
            expect(running).toBe(held.length);
            expect(running).toBeLessThanOrEqual(size);
            expect(queued).toBe(waiting.size);
            expect(queued).toBeLessThanOrEqual(maxQueued);
            const batch = held.filter(({ lane }) => lane === "batch").length;
            if (size >= 2) expect(batch).toBeLessThan(size);
          };
          const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
          for (const { act, caller, lane, pick } of steps) {
            if (act === "acquire") {
              asked++;
              const controller = new AbortController();
              waiting.add(controller);
              pool.acquire(ask(caller, lane, controller.signal)).then(
                (permit) => {
                  waiting.delete(controller);
                  outcomes.granted++;
                  held.push({ permit, lane });
                },
                (error) => {
                  waiting.delete(controller);
                  if (error === controller.signal.reason) outcomes.aborted++;
                  else if (error.reason === "POOL_FULL") outcomes.refused++;
                },
              );
            } else if (act === "release") {
              held.splice(pick % Math.max(1, held.length), 1)[0]?.permit[Symbol.dispose]();
            } else {
              [...waiting][pick % Math.max(1, waiting.size)]?.abort();
            }
            await settle();
            check();
          }
          while (held.length > 0) {
            for (const { permit } of held.splice(0)) permit[Symbol.dispose]();
            await settle();
            check();
          }
          expect(pool.status()).toMatchObject({ running: 0, queued: 0 });
          expect(outcomes.granted + outcomes.aborted + outcomes.refused).toBe(asked);
        },
      ),
      { numRuns: 300 },
    );
  });
});
