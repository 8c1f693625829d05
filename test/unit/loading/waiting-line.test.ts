import { describe, expect, test } from "vitest";
import type { LeasePurpose } from "../../../src/loading/workers/model.ts";
import { type Waiter, WaitingLine } from "../../../src/loading/workers/waiting-line.ts";

/** A line with these in it, by the order of their coming: purpose and set. */
function lineOf(...asked: readonly (readonly [LeasePurpose, string | undefined])[]) {
  const line = new WaitingLine<never>();
  const join = ([purpose, set]: readonly [LeasePurpose, string | undefined]) => {
    const waiter: Waiter<never> = { purpose, set, resolve: () => undefined, reject: () => undefined };
    line.join(waiter);
  };
  for (const each of asked) join(each);
  const take = (set: string | undefined, { loads = 9, others = [] as (string | undefined)[] } = {}) => {
    const taken = line.take(set, { loads, hasWorker: (wanted) => others.includes(wanted) });
    return taken && `${taken.purpose} ${taken.set ?? "built-in"}`;
  };
  return { line, join, take };
}

describe("who gets a free worker", () => {
  test("is whoever wants its set, the short work before loads and these before more hands for one", () => {
    const { take } = lineOf(["more", "a"], ["first", "a"], ["interactive", "a"], ["interactive", undefined]);
    const others = ["a", undefined];
    expect(take(undefined, { others })).toBe("interactive built-in");
    expect([take("a"), take("a"), take("a"), take("a")]).toEqual(["interactive a", "first a", "more a", undefined]);
  });

  test("is nobody where the first in line wants another set and only loads want this one", () => {
    const { take } = lineOf(["first", "b"], ["first", "a"]);
    expect(take("a")).toBeUndefined();
    expect(take("a", { others: ["b"] })).toBe("first a");
  });

  test("may be short work behind somebody whose worker has to be started, but not for ever", () => {
    const { take, join } = lineOf(["interactive", "b"]);
    const served: (string | undefined)[] = [];
    for (let times = 0; times < 6; times++) {
      join(["interactive", "a"]);
      served.push(take("a"));
    }
    expect(served).toEqual([...Array(4).fill("interactive a"), undefined, undefined]);
    expect(take("b")).toBe("interactive b");
    expect(take("a")).toBe("interactive a");
  });

  test("is a load every so often, whatever its set, however much short work comes", () => {
    const { take, join } = lineOf(["first", "b"]);
    const served: (string | undefined)[] = [];
    for (let times = 0; times < 5; times++) {
      join(["interactive", "a"]);
      served.push(take("a", { others: ["b"] }));
    }
    // Its worker is on its way, so nobody is held up by it.
    expect(served).toEqual(Array(5).fill("interactive a"));
    expect(take("b")).toBe("first b");
  });

  test("is no load where enough of them run", () => {
    const { take, line } = lineOf(["first", "a"], ["interactive", "a"]);
    expect(take("a", { loads: 0 })).toBe("interactive a");
    expect(take("a", { loads: 0 })).toBeUndefined();
    expect(line.inOrder(0)).toEqual([]);
    expect(line.inOrder(1)).toMatchObject([{ purpose: "first" }]);
  });
});
