import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MemoryPressure } from "../../../src/lifecycle/memory-pressure.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});

afterEach(() => {
  vi.useRealTimers();
});

test("memory pressure is told when it begins and when it has clearly ended, and not in between", () => {
  const told: boolean[] = [];
  let processBytes = 0;
  using pressure = new MemoryPressure({
    budgetBytes: 1_000,
    processBytes: () => processBytes,
    onChange: ({ high }) => told.push(high),
  });
  const looks = [899, 900, 880, 1_200, 800, 799, 850, 899].map((bytes) => {
    processBytes = bytes;
    vi.advanceTimersByTime(1_000);
    return pressure.high;
  });
  expect(looks).toEqual([false, true, true, true, true, false, false, false]);
  expect(told).toEqual([true, false]);
});
