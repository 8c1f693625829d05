import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { DriverControl } from "../../../src/lifecycle/control.ts";
import { EndDeadline } from "../../../src/lifecycle/end-deadline.ts";

const YEAR_MS = 365 * 86_400_000;

test("a deadline that no timer reaches does not pass at once", async () => {
  const control = new DriverControl();
  control.end({ reason: "replaced", timeoutMs: YEAR_MS });
  using deadline = new EndDeadline(control);
  await delay(20);
  expect(deadline.signal.aborted).toBe(false);
});

test("a deadline passes when it is brought forward, and no longer once it is disposed", async () => {
  const control = new DriverControl();
  control.end({ reason: "replaced", timeoutMs: YEAR_MS });
  const disposed = new EndDeadline(control);
  disposed[Symbol.dispose]();
  using deadline = new EndDeadline(control);
  control.end({ reason: "hurry", timeoutMs: 10 });
  await new Promise((resolve) => deadline.signal.addEventListener("abort", resolve));
  expect(control.draining?.reason).toBe("replaced");
  expect(disposed.signal.aborted).toBe(false);
});

test("a deadline that lies in the past has passed", () => {
  const control = new DriverControl();
  control.end({ reason: "at once", timeoutMs: 0 });
  using deadline = new EndDeadline(control);
  expect(deadline.signal.aborted).toBe(true);
});
