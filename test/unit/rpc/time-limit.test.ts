import { describe, expect, it, vi } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { lifetime, timeLimit } from "../../../src/rpc/time-limit.ts";

/** What a signal is aborted with. */
function ended({ signal }: { readonly signal: AbortSignal }): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
}

describe("the lifetime of a query that outlives its call", () => {
  it("ends at the deadline of the call that began it", async () => {
    using limit = lifetime({ timeoutMs: 60_000, deadlineMs: performance.now() + 20 });
    expect(await ended(limit)).toMatchObject({
      reason: "DEADLINE_EXCEEDED",
      message: "the deadline passed before the work was done",
    });
  });

  it("ends at the driver's own limit, if that comes first", async () => {
    using limit = lifetime({ timeoutMs: 20, deadlineMs: performance.now() + 60_000 });
    expect(await ended(limit)).toMatchObject({ reason: "DEADLINE_EXCEEDED", metadata: { limit: "20ms" } });
  });

  it("does not end earlier where the wall clock was set since the call came", async () => {
    const deadlineMs = performance.now() + 60_000;
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 3_600_000);
    try {
      using limit = lifetime({ timeoutMs: 0, deadlineMs });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(limit.signal.aborted).toBe(false);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it("ends with the token of the call that began it, for the same reason", async () => {
    let end: DriverError | undefined;
    using limit = lifetime({ timeoutMs: 60_000, tokenEnd: () => end });
    using other = lifetime({ timeoutMs: 60_000, tokenEnd: () => undefined });
    end = new DriverError("TOKEN_REVOKED", "the token was revoked");
    expect(await ended(limit)).toBe(end);
    expect(other.signal.aborted).toBe(false);
  });

  it("has no end where there is neither, or one that no timer can wait for", async () => {
    for (const deadlineMs of [undefined, performance.now() + 365 * 86_400_000]) {
      using limit = lifetime({ timeoutMs: 0, deadlineMs });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(limit.signal.aborted).toBe(false);
    }
  });

  it("ends no more once it is disposed", async () => {
    const limit = lifetime({ timeoutMs: 5 });
    limit[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(limit.signal.aborted).toBe(false);
  });
});

describe("the limit of a call", () => {
  it("ends with the call or at the driver's own limit", async () => {
    const call = new AbortController();
    using limit = timeLimit(call.signal, 60_000);
    call.abort("left");
    expect(limit.signal.reason).toBe("left");
    using short = timeLimit(new AbortController().signal, 20);
    expect(await ended(short)).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });
});
