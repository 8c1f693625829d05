import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENTRY_BYTES, SPOOL_BYTES, type Spool, type SpoolLimits, Spools } from "../../../src/queries/spool.ts";

/** Room for so many items of `bytes` beside the spool itself. */
function roomFor(items: number, bytes: number): number {
  return SPOOL_BYTES + items * (ENTRY_BYTES + bytes);
}

function open(limits: Partial<SpoolLimits> = {}) {
  const dropped: string[] = [];
  const spools = new Spools<string>({
    totalBytes: Number.POSITIVE_INFINITY,
    bytesPerSpool: Number.POSITIVE_INFINITY,
    ...limits,
  });
  return { spools, dropped, make: (name: string) => spools.open(() => dropped.push(name)) };
}

function takeAll(spool: Spool<string>): string[] {
  const items: string[] = [];
  for (let next = spool.take(); next !== undefined; next = spool.take()) items.push(next.item);
  return items;
}

function fill(spool: Spool<string>, items: readonly string[], bytes = 0): void {
  for (const item of items) {
    spool.add(item, bytes);
    if (spool.reading) spool.take();
  }
}

describe("a spool", () => {
  it("gives a reader everything after an item, each once", () => {
    const spool = open().make("a");
    fill(spool, ["one", "two", "three"]);
    spool.readAfter(1);
    expect(takeAll(spool)).toEqual(["two", "three"]);
    expect(takeAll(spool)).toEqual([]);
    spool.readAfter(0);
    expect(takeAll(spool)).toEqual(["one", "two", "three"]);
  });

  it("says of an item whether somebody can go on after it", () => {
    const spool = open({ bytesPerSpool: roomFor(2, 0) }).make("a");
    spool.readAfter(0);
    fill(spool, ["one", "two", "three", "four"]);
    expect([0, 1, 2, 3, 4, 5].map((id) => spool.gapAfter(id))).toEqual([
      "expired",
      "expired",
      undefined,
      undefined,
      undefined,
      "beyond",
    ]);
  });

  it("lets its maker go on by one item while it is read, and up to the bound while it is not", () => {
    const spool = open({ bytesPerSpool: roomFor(3, 10) }).make("a");
    spool.readAfter(0);
    expect(spool.hasRoom(1_000_000)).toBe(true);
    spool.add("one", 10);
    expect(spool.hasRoom(10)).toBe(false);
    spool.leave();
    fill(spool, ["two", "three"], 10);
    expect(spool.hasRoom(0)).toBe(false);
    spool.readAfter(0);
    expect(takeAll(spool)).toEqual(["one", "two", "three"]);
    expect(spool.hasRoom(10)).toBe(true);
  });

  it("keeps what was sent last when its reader leaves, and forgets the oldest while it is read", () => {
    const spool = open({ bytesPerSpool: roomFor(3, 10) }).make("a");
    spool.readAfter(0);
    fill(spool, ["one", "two", "three", "four"], 10);
    expect(spool.firstId).toBe(2);
    spool.leave();
    expect(spool.hasRoom(0)).toBe(false);
    expect(spool.firstId).toBe(2);
  });

  it("passes on what is larger than the bound, and does not keep it", () => {
    const spool = open({ bytesPerSpool: 0, totalBytes: 0 }).make("a");
    spool.readAfter(0);
    spool.add("huge", 1_000_000);
    expect(spool.bytes).toBeGreaterThan(1_000_000);
    expect(spool.take()).toEqual({ id: 1, item: "huge" });
    expect(spool.bytes).toBe(SPOOL_BYTES);
    expect(spool.gapAfter(1)).toBeUndefined();
    expect(spool.gapAfter(0)).toBe("expired");
  });
});

describe("all spools together", () => {
  it("forget ended ones first, the oldest of them first", () => {
    const { make, dropped } = open({ totalBytes: 3 * roomFor(1, 100) });
    const live = make("live");
    live.readAfter(0);
    fill(live, ["sent"], 100);
    for (const name of ["first", "second", "third"]) {
      const spool = make(name);
      spool.add("item", 100);
      spool.end();
    }
    expect(dropped).toEqual(["first"]);
    fill(live, ["more"], 100);
    expect(dropped).toEqual(["first", "second"]);
    expect(live.firstId).toBe(1);
  });

  it("do not forget an ended one that is read, but what was read of it", () => {
    const { make, dropped } = open({ totalBytes: 2 * roomFor(2, 100) });
    const ended = make("ended");
    fill(ended, ["one", "two"], 100);
    ended.end();
    ended.readAfter(0);
    ended.take();
    const live = make("live");
    live.readAfter(0);
    for (const item of ["a", "b", "c", "d"]) live.add(item, 100);
    expect(dropped).toEqual([]);
    expect(ended.firstId).toBe(2);
    expect(takeAll(ended)).toEqual(["two"]);
  });

  it("forget the oldest that was sent, and that of makers whose reader is away last", () => {
    const { make } = open({ totalBytes: 3 * roomFor(1, 100) + 50 });
    const [away, old, young] = [make("away"), make("old"), make("young")];
    for (const spool of [away, old, young]) {
      spool.readAfter(0);
      fill(spool, ["sent"], 100);
    }
    away.leave();
    fill(young, ["more"], 100);
    expect([away.firstId, old.firstId, young.firstId]).toEqual([1, 2, 1]);
    young.add("much more", 100);
    expect([away.firstId, young.firstId]).toEqual([1, 2]);
    young.add("and more", 400);
    expect(away.firstId).toBe(2);
  });

  it("wake those that wait for room when something is given back", () => {
    const { make, spools } = open({ totalBytes: roomFor(1, 100) + roomFor(1, 0) });
    const [first, second] = [make("first"), make("second")];
    first.readAfter(0);
    fill(first, ["sent"], 100);
    expect(second.hasRoom(100)).toBe(false);
    let woken = 0;
    const off = spools.onRoom(() => woken++);
    first.drop();
    expect(woken).toBeGreaterThan(0);
    expect(second.hasRoom(100)).toBe(true);
    off();
  });
});

type Step =
  | { readonly what: "open" }
  | { readonly what: "add"; readonly which: number; readonly bytes: number }
  | { readonly what: "take" | "leave" | "end" | "drop" | "clear"; readonly which: number }
  | { readonly what: "readAfter"; readonly which: number; readonly share: number };

const which = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ what: fc.constant("open" as const) }),
  { arbitrary: fc.record({ what: fc.constant("add" as const), which, bytes: fc.nat(2_000) }), weight: 6 },
  { arbitrary: fc.record({ what: fc.constant("take" as const), which }), weight: 6 },
  fc.record({ what: fc.constantFrom("leave" as const, "end" as const, "drop" as const, "clear" as const), which }),
  fc.record({ what: fc.constant("readAfter" as const), which, share: fc.double({ min: 0, max: 1.2, noNaN: true }) }),
);

/** A spool with what must come of it: every item that was ever added, and where its reader is. */
interface Modelled {
  readonly spool: Spool<string>;
  readonly sizes: Map<number, number>;
  readAt: number;
  gone: boolean;
}

describe("whatever happens", () => {
  it("bytes are conserved, bounds hold for what was sent, and a reader gets the rest or is told", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.nat(20_000),
        fc.nat(8_000),
        (steps, totalBytes, bytesPerSpool) => {
          const spools = new Spools<string>({ totalBytes, bytesPerSpool });
          const all: Modelled[] = [];
          for (const each of steps) {
            if (each.what === "open") {
              // Opening may drop ended ones, but never itself.
              const made: { modelled?: Modelled } = {};
              const spool = spools.open(() => {
                if (made.modelled) made.modelled.gone = true;
              });
              made.modelled = { spool, sizes: new Map(), readAt: 0, gone: false };
              all.push(made.modelled);
            } else {
              const modelled = all.filter(({ gone }) => !gone)[each.which];
              if (modelled !== undefined) apply(each, modelled);
            }
            check(
              spools,
              all.filter(({ gone }) => !gone),
            );
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  function apply(each: Exclude<Step, { what: "open" }>, modelled: Modelled): void {
    const { spool, sizes } = modelled;
    switch (each.what) {
      case "add": {
        if (spool.ended || !spool.hasRoom(each.bytes)) return;
        const id = spool.lastId + 1;
        sizes.set(id, each.bytes);
        expect(spool.add(`item ${id}`, each.bytes)).toBe(id);
        return;
      }
      case "take": {
        if (!spool.reading) return;
        const expected = modelled.readAt < spool.lastId ? modelled.readAt + 1 : undefined;
        const taken = spool.take();
        expect(taken).toEqual(expected && { id: expected, item: `item ${expected}` });
        if (taken !== undefined) modelled.readAt = taken.id;
        return;
      }
      case "readAfter": {
        const after = Math.floor(each.share * spool.lastId);
        const gap = spool.gapAfter(after);
        expect(gap).toBe(after > spool.lastId ? "beyond" : after + 1 < spool.firstId ? "expired" : undefined);
        if (gap !== undefined) return;
        spool.readAfter(after);
        modelled.readAt = after;
        return;
      }
      case "clear":
        spool.clear();
        modelled.readAt = spool.lastId;
        return;
      default:
        spool[each.what]();
    }
  }

  function check(spools: Spools<string>, live: readonly Modelled[]): void {
    const { totalBytes, bytesPerSpool } = spools.limits;
    let [sum, left] = [0, 0];
    for (const { spool, sizes, readAt } of live) {
      let bytes = SPOOL_BYTES;
      for (let id = spool.firstId; id <= spool.lastId; id++) bytes += ENTRY_BYTES + (sizes.get(id) ?? Number.NaN);
      expect(spool.bytes).toBe(bytes);
      sum += bytes;
      if (spool.ended && !spool.reading) left += bytes;
      // What was not read is never forgotten.
      expect(spool.firstId).toBeLessThanOrEqual(readAt + 1);
      const keepsSent = spool.firstId <= readAt;
      if (spool.reading && spool.bytes > bytesPerSpool) expect(keepsSent).toBe(false);
      if (spools.bytes > totalBytes) {
        expect(keepsSent).toBe(false);
        expect(spool.ended && !spool.reading).toBe(false);
      }
    }
    expect(spools.bytes).toBe(sum);
    expect(spools.neededBytes).toBe(sum - left);
  }
});
