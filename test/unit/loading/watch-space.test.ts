import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { watchSpace } from "../../../src/loading/watch-space.ts";

const { signal } = new AbortController();

describe("watching the space", () => {
  it("never checks twice at once, however long a check takes", async () => {
    let [running, most, checks] = [0, 0, 0];
    const check = async () => {
      most = Math.max(most, ++running);
      checks++;
      await delay(20);
      running--;
    };
    using _watch = watchSpace(check, { signal, intervalMs: 1 });
    await expect.poll(() => checks).toBeGreaterThanOrEqual(3);
    expect(most).toBe(1);
  });

  it("ends the work with what a check throws, and stops when it is disposed", async () => {
    let checks = 0;
    const full = new Error("full");
    const watch = watchSpace(async () => (++checks === 2 ? Promise.reject(full) : undefined), {
      signal,
      intervalMs: 1,
    });
    await expect.poll(() => watch.signal.aborted).toBe(true);
    expect(watch.signal.reason).toBe(full);
    watch[Symbol.dispose]();
    const after = checks;
    await delay(20);
    expect(checks).toBe(after);
  });
});
