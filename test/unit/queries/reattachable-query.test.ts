import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import type { NumberedEvent, QueryCompletion, QueryEvent } from "../../../src/queries/events.ts";
import type { KeptEvent } from "../../../src/queries/kept-event.ts";
import { ReattachableQuery } from "../../../src/queries/reattachable-query.ts";
import { type SpoolLimits, Spools } from "../../../src/queries/spool.ts";

const COMPLETION: QueryCompletion = {
  rows: 3,
  timings: { queuedMs: 0, plannedMs: 0, executedMs: 0, encodedMs: 0 },
  rowsScanned: 3,
  bytesScanned: 3,
  versions: { flights: 1 },
};
const { signal: forever } = new AbortController();

interface Made {
  readonly query: ReattachableQuery;
  readonly spools: Spools<KeptEvent>;
  /** Why it was stopped, where it was. */
  readonly stopped: DriverError[];
  readonly outcomes: string[];
  gone: boolean;
  /** Aborted when the query is to stop. */
  readonly signal: AbortSignal;
}

function make(
  limits: Partial<SpoolLimits> = {},
  { detachedTimeoutMs = 60_000, resultTtlMs = 60_000 }: { detachedTimeoutMs?: number; resultTtlMs?: number } = {},
): Made {
  const spools = new Spools<KeptEvent>({ totalBytes: 1e9, bytesPerSpool: 1e9, ...limits });
  const stop = new AbortController();
  const [stopped, outcomes]: [DriverError[], string[]] = [[], []];
  const query = new ReattachableQuery({
    id: "q",
    spools,
    detachedTimeoutMs,
    resultTtlMs,
    stop: (reason) => {
      stopped.push(reason);
      stop.abort(reason);
    },
    onReattach: (outcome) => outcomes.push(outcome),
    onGone: () => {
      made.gone = true;
    },
  });
  const made: Made = { query, spools, stopped, outcomes, gone: false, signal: stop.signal };
  return made;
}

function batch(seq: number, bytes = 10): QueryEvent {
  return { type: "frameBatch", frameId: 1, seq, arrow: new Uint8Array(bytes).fill(seq) };
}

/** Reads so many events, or all, and leaves. */
async function read(made: Made, after: number, count = Number.POSITIVE_INFINITY): Promise<NumberedEvent[]> {
  const events: NumberedEvent[] = [];
  if (count === 0) return events;
  for await (const event of made.query.readAfter(after, { signal: forever })) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

/** Makes events like a query that is as fast as it may be. */
async function work({ query, signal }: Made, sizes: readonly number[]): Promise<void> {
  try {
    for (const [index, bytes] of sizes.entries()) await query.push(batch(index + 1, bytes), { signal });
    query.complete(COMPLETION);
  } catch (error) {
    query.fail(DriverError.from(error));
  }
}

/** `toEqual` takes a second for some megabytes. */
function same(left: NumberedEvent | undefined, right: NumberedEvent): boolean {
  if (left?.type !== "frameBatch" || right.type !== "frameBatch") return left?.type === right.type;
  const bytes = ({ arrow = new Uint8Array() }: typeof left) => Buffer.from(arrow);
  return left.eventId === right.eventId && left.seq === right.seq && bytes(left).equals(bytes(right));
}

const ids = (events: readonly NumberedEvent[]) => events.map(({ eventId }) => eventId);
const reasonOf = (error: unknown) => (error instanceof DriverError ? error.reason : error);

describe("a reattachable query", () => {
  it("counts its events from 1 and ends with `completed`", async () => {
    const made = make();
    const done = work(made, [10, 10]);
    const events = await read(made, 0);
    expect(events.map(({ type }) => type)).toEqual(["accepted", "frameBatch", "frameBatch", "completed"]);
    expect(ids(events)).toEqual([1, 2, 3, 4]);
    await done;
  });

  it("does not count progress, and keeps only the latest", async () => {
    const made = make();
    const progress = {
      fraction: 0.5,
      rows: 1,
      bytes: 0,
      totalBytes: 0,
      rowsPerSecond: 0,
      bytesPerSecond: 0,
      phase: "",
    };
    made.query.offerProgress(progress);
    const events = await read(made, 0, 2);
    expect(events).toEqual([
      { type: "accepted", operationId: "q", eventId: 1 },
      { type: "progress", progress },
    ]);
  });

  it("gives rows back as they were, whatever they hold", async () => {
    const made = make();
    const rows = [[-0, 0.1, "ü😀", null, true, "12345678901234567890", [1, { a: "NaN" }]]];
    const done = made.query.push({ type: "frameBatch", frameId: 1, seq: 1, rows }, { signal: forever });
    const [, first] = await read(made, 0, 2);
    const again = await read(made, 1, 1);
    await done;
    expect(first).toEqual({ type: "frameBatch", frameId: 1, seq: 1, rows, eventId: 2 });
    made.query.complete(COMPLETION);
    expect(again).toEqual([first]);
    expect(await read(made, 1, 1)).toEqual([first]);
  });

  it("goes on without a reader until its bound, then waits, and goes on when one comes", async () => {
    const made = make({ bytesPerSpool: 20_000 });
    const done = work(
      made,
      Array.from({ length: 50 }, () => 1_000),
    );
    await read(made, 0, 3);
    for (let round = 0; round < 100; round++) await setImmediate();
    const kept = made.spools.bytes;
    expect(kept).toBeLessThanOrEqual(20_000);
    expect(kept).toBeGreaterThan(18_000);
    const rest = await read(made, 3);
    expect(ids(rest)).toEqual(Array.from({ length: 49 }, (_, index) => index + 4));
    await done;
  });

  it("is stopped when nobody reads it for its time, in words", async () => {
    const made = make({}, { detachedTimeoutMs: 20 });
    const done = work(
      made,
      Array.from({ length: 2_000_000 }, () => 1_000),
    );
    await read(made, 0, 2);
    await done;
    expect(made.stopped.map(({ message }) => message)).toEqual([
      "the query had no reader for limits.detachedTimeout (20ms)",
    ]);
    await expect(read(made, 2)).rejects.toMatchObject({ reason: "CANCELLED", message: made.stopped[0]?.message });
  });

  it("is stopped by a reader that stalls, and not by one that is cut off", async () => {
    const made = make();
    const call = new AbortController();
    const reader = made.query.readAfter(0, { signal: call.signal });
    await reader.next();
    call.abort(new DriverError("CANCELLED", "the client left the call"));
    await expect(reader.next()).rejects.toMatchObject({ message: "the client left the call" });
    expect(made.stopped).toEqual([]);
    const stalled = new AbortController();
    const other = made.query.readAfter(0, { signal: stalled.signal });
    await other.next();
    stalled.abort(new DriverError("READER_TOO_SLOW", "it read nothing"));
    expect(made.stopped.map(reasonOf)).toEqual(["READER_TOO_SLOW"]);
  });

  it("goes over to a second reader, whatever the first does", async () => {
    const made = make();
    const [waiting, paused] = [
      made.query.readAfter(0, { signal: forever }),
      made.query.readAfter(1, { signal: forever }),
    ];
    await waiting.next();
    const next = waiting.next();
    const second = paused.next();
    await expect(next).rejects.toMatchObject({ reason: "CANCELLED", metadata: { operation: "q", takenOver: "true" } });
    await made.query.push(batch(1), { signal: forever });
    expect((await second).value).toMatchObject({ eventId: 2 });
    const third = made.query.readAfter(0, { signal: forever });
    expect((await third.next()).value).toMatchObject({ eventId: 1 });
    await expect(paused.next()).rejects.toMatchObject({ reason: "CANCELLED" });
    expect((await third.next()).value).toMatchObject({ eventId: 2 });
    expect(made.outcomes).toEqual(["resumed", "resumed"]);
    await third.return();
  });

  it("tells every reader why it failed, and keeps nothing else of it", async () => {
    const made = make();
    const reader = made.query.readAfter(0, { signal: forever });
    await reader.next();
    await made.query.push(batch(1, 1_000), { signal: forever });
    const error = new DriverError("DISK_FULL", "it broke");
    made.query.fail(error);
    await expect(reader.next()).rejects.toBe(error);
    expect(made.spools.bytes).toBeLessThan(1_100);
    for (const after of [0, 1, 2]) await expect(read(made, after)).rejects.toMatchObject({ message: "it broke" });
    await expect(read(made, 3)).rejects.toMatchObject({ reason: "INVALID_REQUEST" });
  });

  it("is forgotten after its time, but not while it is read", async () => {
    const made = make({}, { resultTtlMs: 20 });
    const done = work(made, [10, 10]);
    const reader = made.query.readAfter(0, { signal: forever });
    for (let count = 0; count < 3; count++) await reader.next();
    await done;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(made.gone).toBe(false);
    expect((await reader.next()).value).toMatchObject({ type: "completed" });
    expect((await reader.next()).done).toBe(true);
    expect(made.gone).toBe(true);
    expect(made.spools.bytes).toBe(0);
  });

  it("says while it has ended whether its reader may come for the rest", async () => {
    const made = make({}, { detachedTimeoutMs: 50 });
    const done = work(made, [10, 10]);
    await read(made, 0, 1);
    await done;
    expect(made.query.owed).toBe(true);
    await read(made, 1);
    expect(made.query.owed).toBe(false);
    await read(made, 1, 1);
    expect(made.query.owed).toBe(true);
    await expect.poll(() => made.query.owed).toBe(false);
  });
});

describe("for every bound and every cut", () => {
  it("a reader that comes back gets exactly the rest, or RESULT_EXPIRED", async () => {
    const size = fc.oneof(fc.nat(300), fc.constantFrom(0, 5_000, 40_000));
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { maxLength: 25 }),
        fc.nat(30_000),
        fc.nat(30_000),
        fc.array(fc.record({ count: fc.nat(8), back: fc.nat(4), pause: fc.nat(3) }), { maxLength: 12 }),
        async (sizes, totalBytes, bytesPerSpool, cuts) => {
          const made = make({ totalBytes, bytesPerSpool });
          const done = work(made, sizes);
          const last = sizes.length + 2;
          const seen = new Map<number, NumberedEvent>();
          let [at, expired] = [0, false];
          for (const { count, back, pause } of [...cuts, { count: Number.POSITIVE_INFINITY, back: 0, pause: 0 }]) {
            const after = Math.max(0, at - back);
            for (let round = 0; round < pause; round++) await setImmediate();
            // What is gone altogether answers RESULT_EXPIRED elsewhere.
            if (made.gone) return;
            try {
              const events = await read(made, after, count);
              expect(ids(events)).toEqual(events.map((_, index) => after + 1 + index));
              for (const event of events) {
                const before = seen.get(event.eventId ?? 0);
                if (before) expect(same(before, event)).toBe(true);
                seen.set(event.eventId ?? 0, event);
              }
              at = after + events.length;
            } catch (error) {
              expect(reasonOf(error)).toBe("RESULT_EXPIRED");
              expired = true;
              // Where it was cut off before the spool was too small, there is nothing to wait for.
              if (count === Number.POSITIVE_INFINITY) break;
            }
          }
          if (!expired) {
            expect(at).toBe(last);
            expect(seen.get(last)?.type).toBe("completed");
            for (const [index, bytes] of sizes.entries())
              expect(same(seen.get(index + 2), { ...batch(index + 1, bytes), eventId: index + 2 })).toBe(true);
            await done;
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("a reader that comes back for the next event never finds it expired while the query is made", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(5_000), { minLength: 1, maxLength: 25 }),
        fc.nat(30_000),
        fc.array(fc.nat(4), { maxLength: 12 }),
        async (sizes, bytesPerSpool, cuts) => {
          const made = make({ bytesPerSpool });
          const done = work(made, sizes);
          let at = 0;
          for (const count of [...cuts, Number.POSITIVE_INFINITY]) at += (await read(made, at, count)).length;
          expect(at).toBe(sizes.length + 2);
          await done;
        },
      ),
      { numRuns: 150 },
    );
  });
});
