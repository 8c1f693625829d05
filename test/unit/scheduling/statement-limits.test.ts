import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { createStatementLimits } from "../../../src/scheduling/statement-limits.ts";

const { signal } = new AbortController();

it("a connection runs as many statements as its limit says, and others are not held up", async () => {
  const limits = createStatementLimits();
  const one = await limits.acquire("a", 2, { signal, caller: "x" });
  const two = await limits.acquire("a", 2, { signal, caller: "x" });
  let third = false;
  const waiting = limits.acquire("a", 2, { signal, caller: "x" }).then((permit) => {
    third = true;
    return permit;
  });
  using _other = await limits.acquire("b", 1, { signal, caller: "x" });
  await setImmediate();
  expect(third).toBe(false);
  expect(limits.status()).toEqual([
    { connection: "a", limit: 2, running: 2, waiting: 1 },
    { connection: "b", limit: 1, running: 1, waiting: 0 },
  ]);
  one[Symbol.dispose]();
  // Giving it back twice gives back one place.
  one[Symbol.dispose]();
  using _third = await waiting;
  two[Symbol.dispose]();
  expect(limits.status()[0]).toMatchObject({ running: 1, waiting: 0 });
});

it("callers take turns, whoever asks most", async () => {
  const limits = createStatementLimits();
  const first = await limits.acquire("a", 1, { signal, caller: "x" });
  const order: string[] = [];
  const ask = (caller: string, name: string) =>
    limits.acquire("a", 1, { signal, caller }).then((permit) => {
      order.push(name);
      permit[Symbol.dispose]();
    });
  const all = [ask("x", "x1"), ask("x", "x2"), ask("x", "x3"), ask("y", "y1"), ask("z", "z1")];
  first[Symbol.dispose]();
  await Promise.all(all);
  expect(order).toEqual(["x1", "y1", "z1", "x2", "x3"]);
});

it("who gives up waits no longer and takes no place", async () => {
  const limits = createStatementLimits();
  const held = await limits.acquire("a", 1, { signal, caller: "x" });
  const controller = new AbortController();
  const given = limits.acquire("a", 1, { signal: controller.signal, caller: "x" });
  const next = limits.acquire("a", 1, { signal, caller: "y" });
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(given).rejects.toBe(reason);
  await expect(limits.acquire("a", 1, { signal: controller.signal, caller: "x" })).rejects.toBe(reason);
  held[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  expect(limits.status()).toEqual([]);
});

it("a limit that has changed counts from the next statement on, also for those that wait", async () => {
  const limits = createStatementLimits();
  const permits = [await limits.acquire("a", 1, { signal, caller: "x" })];
  const waiting = [1, 2].map((_) => limits.acquire("a", 1, { signal, caller: "x" }));
  const raised = limits.acquire("a", 3, { signal, caller: "x" });
  permits.push(...(await Promise.all(waiting)));
  expect(limits.status()).toEqual([{ connection: "a", limit: 3, running: 3, waiting: 1 }]);
  const lowered = limits.acquire("a", 1, { signal, caller: "y" });
  permits.pop()?.[Symbol.dispose]();
  permits.pop()?.[Symbol.dispose]();
  await setImmediate();
  expect(limits.status()).toEqual([{ connection: "a", limit: 1, running: 1, waiting: 2 }]);
  permits.pop()?.[Symbol.dispose]();
  (await raised)[Symbol.dispose]();
  (await lowered)[Symbol.dispose]();
  expect(limits.status()).toEqual([]);
  await expect(limits.acquire("a", 0, { signal, caller: "x" })).rejects.toThrow(RangeError);
});

it("never runs more than the limit, whatever happens at once", async () => {
  const limits = createStatementLimits();
  let running = 0;
  let most = 0;
  const work = async (number: number) => {
    const controller = new AbortController();
    const acquiring = limits.acquire("a", 4, { signal: controller.signal, caller: String(number % 5) });
    if (number % 7 === 0) controller.abort(new Error("stop"));
    using permit = await acquiring.catch(() => undefined);
    if (permit === undefined) return;
    most = Math.max(most, ++running);
    for (let turn = 0; turn < number % 3; turn++) await setImmediate();
    running--;
  };
  await Promise.all(Array.from({ length: 500 }, (_, number) => work(number)));
  expect(most).toBe(4);
  expect(limits.status()).toEqual([]);
});
