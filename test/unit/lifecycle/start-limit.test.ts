import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { DriverControl } from "../../../src/lifecycle/control.ts";
import { limitStart } from "../../../src/lifecycle/start-limit.ts";

function killing() {
  const { promise: killed, resolve: kill } = Promise.withResolvers<string>();
  return { killed, kill };
}

test("a start that takes too long is killed", async () => {
  const { killed, kill } = killing();
  using _limit = limitStart({ control: new DriverControl(), timeoutMs: 10, lastResortMs: 60_000, kill });
  expect(await killed).toBe("its start takes too long");
});

test("a start that goes on after it was told to end is killed, whoever started it", async () => {
  const { killed, kill } = killing();
  const control = new DriverControl();
  using _limit = limitStart({ control, timeoutMs: undefined, lastResortMs: 10, kill });
  control.end({ reason: "SIGTERM", timeoutMs: 10 });
  expect(await killed).toBe("its start does not stop");
});

test("a driver that serves has no such limit any more", async () => {
  const { killed, kill } = killing();
  const control = new DriverControl();
  const limit = limitStart({ control, timeoutMs: 20, lastResortMs: 20, kill });
  control.end({ reason: "SIGTERM", timeoutMs: 0 });
  limit[Symbol.dispose]();
  control.end({ reason: "SIGTERM", timeoutMs: 0 });
  expect(await Promise.race([killed, delay(80, "left alone")])).toBe("left alone");
});
