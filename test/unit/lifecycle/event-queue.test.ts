import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type DriverEvent, DriverEvents } from "../../../src/lifecycle/driver-events.ts";
import { EventQueue } from "../../../src/lifecycle/event-queue.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

function open(maxEvents = 4) {
  const events = new DriverEvents();
  const onOverflow = vi.fn();
  const queue = new EventQueue(events, { maxEvents, onOverflow });
  const controller = new AbortController();
  const next = () => queue.next({ signal: controller.signal, timeoutMs: 5_000 });
  const publish = (dataset: string, version: number) => events.emit(published(dataset, version));
  return { events, queue, next, publish, onOverflow, controller };
}

function published(dataset: string, version: number): DriverEvent {
  return { type: "datasetPublished", dataset, version };
}

test("events come in their order, whether or not somebody waits", async () => {
  const { next, publish } = open();
  publish("a", 1);
  publish("b", 1);
  expect(await next()).toEqual(published("a", 1));
  expect(await next()).toEqual(published("b", 1));
  const third = next();
  publish("c", 1);
  expect(await third).toEqual(published("c", 1));
});

test("silence is told after its time", async () => {
  const { next } = open();
  const waiting = next();
  await vi.advanceTimersByTimeAsync(4_999);
  const state = await Promise.race([waiting.then(() => "told"), Promise.resolve("silent")]);
  expect(state).toBe("silent");
  await vi.advanceTimersByTimeAsync(1);
  expect(await waiting).toBeUndefined();
});

test("a slow listener misses versions that were replaced, and nothing else", async () => {
  const { events, next, publish, onOverflow } = open();
  publish("a", 1);
  publish("b", 1);
  publish("a", 2);
  events.emit({ type: "datasetDropped", dataset: "b" });
  publish("a", 3);
  const seen = [await next(), await next(), await next()];
  expect(seen).toEqual([published("b", 1), { type: "datasetDropped", dataset: "b" }, published("a", 3)]);
  expect(onOverflow).not.toHaveBeenCalled();
});

test("a listener that leaves too much unread loses its events, and is told so", async () => {
  const { next, publish, onOverflow } = open();
  for (const dataset of ["a", "b", "c", "d", "e", "f"]) publish(dataset, 1);
  expect(onOverflow).toHaveBeenCalledTimes(1);
  await expect(next()).rejects.toMatchObject({ reason: "EVENTS_LOST" });
  await expect(next()).rejects.toMatchObject({ reason: "EVENTS_LOST" });
});

test("an aborted signal ends the wait with its reason", async () => {
  const { next, controller } = open();
  const waiting = next();
  controller.abort(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
  await expect(next()).rejects.toThrow("gone");
});

test("a queue that is closed listens no more", async () => {
  const { queue, next, publish, onOverflow } = open(1);
  queue[Symbol.dispose]();
  for (const dataset of ["a", "b", "c"]) publish(dataset, 1);
  expect(onOverflow).not.toHaveBeenCalled();
  const waiting = next();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await waiting).toBeUndefined();
});
