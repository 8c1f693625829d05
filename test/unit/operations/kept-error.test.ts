import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { keptError } from "../../../src/operations/kept-error.ts";
import { createOperations } from "../../../src/operations/operations.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Stands for a call's stream with what it was sending: an error that it makes has it on its stack. */
class Sender {
  readonly batch = new Uint8Array(1_000_000);

  fail(): never {
    throw new DriverError("CANCELLED", `${this.batch.length} bytes were not sent`, { cause: this });
  }
}

function failing(): { readonly sender: WeakRef<Sender>; readonly work: () => Promise<never> } {
  const sender = new Sender();
  let held: Sender | undefined = sender;
  return {
    sender: new WeakRef(sender),
    work: async () => {
      const own = held;
      held = undefined;
      return (own as Sender).fail();
    },
  };
}

describe("what is kept of an error", () => {
  test("does not keep alive what was on its stack or caused it", async () => {
    const operations = createOperations();
    const request = { kind: "query", dataset: "a", requestedBy: "ann", labels: {}, configuration: {} } as const;
    const { sender, work } = failing();
    const { id } = operations.run({ ...request, id: "failed" }, work, {});
    await expect.poll(() => operations.get(id).state).toBe("failed");
    for (let turn = 0; turn < 10 && sender.deref() !== undefined; turn++) {
      await setImmediate();
      collectGarbage();
    }
    expect(operations.get(id).error).toMatchObject({ reason: "CANCELLED", message: "1000000 bytes were not sent" });
    expect(sender.deref()).toBeUndefined();
  });

  test("is what was sent, but bounded", () => {
    const violations = Array.from({ length: 50 }, (_, index) => ({ field: `f[${index}]`, description: "is wrong" }));
    const error = new DriverError("UNKNOWN_COLUMN", "x".repeat(1e6), {
      metadata: { column: "y".repeat(1e6) },
      violations,
    });
    const kept = keptError(error);
    expect(kept).toMatchObject({ reason: "UNKNOWN_COLUMN", violations: violations.slice(0, 20) });
    expect(JSON.stringify([kept.message, kept.metadata, kept.violations]).length).toBeLessThan(10_000);
  });
});
