import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { loadConfig } from "../../../src/config/load-config.ts";
import { Activity } from "../../../src/lifecycle/activity.ts";
import { DriverControl } from "../../../src/lifecycle/control.ts";
import { Lifetime, type LifetimeRules, lifetimeRules } from "../../../src/lifecycle/lifetime.ts";

const NEVER: LifetimeRules = { firstCall: 0, idle: 0, max: 0 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

function start(rules: Partial<LifetimeRules>) {
  const activity = new Activity();
  const control = new DriverControl();
  const state = { busy: false };
  const lifetime = new Lifetime({
    rules: { ...NEVER, ...rules },
    activity,
    control,
    drainTimeoutMs: 5_000,
    isBusy: () => state.busy,
  });
  lifetime.start();
  return { activity, control, lifetime, reason: () => control.draining?.reason, state };
}

describe("a driver that is idle", () => {
  test("ends after the idle time, and says which setting it was", () => {
    const { control, reason } = start({ idle: 60_000 });
    vi.advanceTimersByTime(59_999);
    expect(reason()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(reason()).toBe("no lease, operation or authenticated call for 1m (lifetime.idle)");
    expect(control.draining?.deadline.getTime()).toBe(Date.now() + 5_000);
  });

  test("counts from the end of the last call", () => {
    const { activity, reason } = start({ idle: 60_000 });
    vi.advanceTimersByTime(50_000);
    activity.callBegan();
    vi.advanceTimersByTime(200_000);
    expect(reason()).toBeUndefined();
    activity.callEnded();
    vi.advanceTimersByTime(59_999);
    expect(reason()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(reason()).toContain("lifetime.idle");
  });

  test("counts from the end of the last operation or lease", () => {
    const { activity, reason, state } = start({ idle: 60_000 });
    state.busy = true;
    vi.advanceTimersByTime(95_000);
    state.busy = false;
    activity.touch();
    vi.advanceTimersByTime(59_999);
    expect(reason()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(reason()).toContain("lifetime.idle");
  });

  test("is told how long it has been idle", () => {
    const { activity, lifetime, state } = start({});
    vi.advanceTimersByTime(7_000);
    expect(lifetime.idleMs).toBe(7_000);
    activity.callBegan();
    expect(lifetime.idleMs).toBe(0);
    activity.callEnded();
    state.busy = true;
    vi.advanceTimersByTime(7_000);
    expect(lifetime.idleMs).toBe(0);
  });
});

test("a wall clock that jumps ends nothing and keeps nothing alive", () => {
  const { reason } = start({ firstCall: 60_000, idle: 90_000, max: 900_000 });
  vi.setSystemTime(Date.now() + 30 * 86_400_000);
  vi.advanceTimersByTime(59_000);
  expect(reason()).toBeUndefined();
  vi.setSystemTime(0);
  vi.advanceTimersByTime(1_000);
  expect(reason()).toContain("lifetime.firstCall");
});

test("a driver that nobody calls ends, one that was called once does not", () => {
  const forgotten = start({ firstCall: 60_000 });
  const used = start({ firstCall: 60_000 });
  used.activity.callBegan();
  used.activity.callEnded();
  vi.advanceTimersByTime(60_000);
  expect(forgotten.reason()).toBe("no authenticated call came within 1m (lifetime.firstCall)");
  expect(used.reason()).toBeUndefined();
});

test("a driver that is too old ends, however busy it is", () => {
  const born = performance.now();
  const { reason, state, activity } = start({ max: born + 60_000, idle: 60_000 });
  state.busy = true;
  activity.callBegan();
  vi.advanceTimersByTime(60_000);
  expect(reason()).toContain("it is older than");
  expect(reason()).toContain("(lifetime.max)");
});

test("a lifetime that is over asks for nothing", () => {
  const { lifetime, reason } = start({ firstCall: 1_000, idle: 1_000, max: performance.now() + 1_000 });
  lifetime[Symbol.dispose]();
  vi.advanceTimersByTime(10_000);
  expect(reason()).toBeUndefined();
});

describe("the rules that count", () => {
  const config = (environment: NodeJS.ProcessEnv = {}) =>
    loadConfig({
      flags: { values: new Map(), positionals: [] },
      environment: { DROVER_DATA_DIR: "/nowhere", ...environment },
    });

  test("are none for a driver that was started by hand", () => {
    expect(lifetimeRules(config(), { spawned: false })).toEqual(NEVER);
  });

  test("have defaults for a driver that a client started", () => {
    expect(lifetimeRules(config(), { spawned: true })).toEqual({ firstCall: 60_000, idle: 1_800_000, max: 0 });
  });

  test("are those that were configured, off included", () => {
    const configured = config({
      DROVER_LIFETIME_IDLE: "0",
      DROVER_LIFETIME_FIRST_CALL: "5s",
      DROVER_LIFETIME_MAX: "1d",
    });
    for (const spawned of [false, true]) {
      expect(lifetimeRules(configured, { spawned })).toEqual({ firstCall: 5_000, idle: 0, max: 86_400_000 });
    }
  });
});
