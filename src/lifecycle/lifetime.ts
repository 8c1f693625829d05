import type { LoadedConfig } from "../config/load-config.ts";
import { formatDuration } from "../config/units.ts";
import type { Activity } from "./activity.ts";
import type { DriverControl } from "./control.ts";

/** When a driver ends by itself, in milliseconds; 0: never. */
export interface LifetimeRules {
  readonly firstCall: number;
  readonly idle: number;
  readonly max: number;
}

const SPAWNED: LifetimeRules = { firstCall: 60_000, idle: 30 * 60_000, max: 0 };

/** What is configured counts; a driver that a client started ends by itself unless told otherwise. */
export function lifetimeRules(
  { settings, origins }: Pick<LoadedConfig, "settings" | "origins">,
  { spawned }: { readonly spawned: boolean },
): LifetimeRules {
  const rule = (name: keyof LifetimeRules) =>
    spawned && origins[`lifetime.${name}`] === "default" ? SPAWNED[name] : settings.lifetime[name];
  return { firstCall: rule("firstCall"), idle: rule("idle"), max: rule("max") };
}

export interface LifetimeOptions {
  readonly rules: LifetimeRules;
  readonly activity: Activity;
  readonly control: DriverControl;
  /** How long running work may take to finish once a rule fired. */
  readonly drainTimeoutMs: number;
  /** Whether somebody is attached or something runs. */
  isBusy(): boolean;
}

/** Asks the driver to end when a rule says so. Timers sleep as long as they can: an idle driver costs nothing. */
export class Lifetime implements Disposable {
  readonly #options: LifetimeOptions;
  readonly #timers = new Map<keyof LifetimeRules, NodeJS.Timeout>();

  constructor(options: LifetimeOptions) {
    this.#options = options;
  }

  get rules(): LifetimeRules {
    return this.#options.rules;
  }

  /** Begins to count: the driver serves from now on. The maximum counts from the start of the process. */
  start(): void {
    const { firstCall, idle, max } = this.#options.rules;
    this.#options.activity.touch();
    if (firstCall > 0) this.#after("firstCall", firstCall, () => this.#checkFirstCall());
    if (idle > 0) this.#after("idle", idle, () => this.#checkIdle());
    if (max > 0) this.#after("max", max - performance.now(), () => this.#end("max", "it is older than"));
  }

  /** How long nothing has kept the driver from being idle. */
  get idleMs(): number {
    return this.#isBusy() ? 0 : performance.now() - this.#options.activity.lastAt;
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #checkFirstCall(): void {
    if (!this.#options.activity.called) this.#end("firstCall", "no authenticated call came within");
  }

  #checkIdle(): void {
    const { idle } = this.#options.rules;
    // Whatever keeps it busy counts as activity when it ends, so that the next look is never too early.
    const left = this.#isBusy() ? idle : idle - this.idleMs;
    if (left > 0) this.#after("idle", left, () => this.#checkIdle());
    else this.#end("idle", "no lease, operation or authenticated call for");
  }

  #isBusy(): boolean {
    const { activity, isBusy } = this.#options;
    return activity.calls > 0 || isBusy();
  }

  #end(rule: keyof LifetimeRules, why: string): void {
    const { rules, control, drainTimeoutMs } = this.#options;
    control.end({ reason: `${why} ${formatDuration(rules[rule])} (lifetime.${rule})`, timeoutMs: drainTimeoutMs });
  }

  #after(rule: keyof LifetimeRules, milliseconds: number, check: () => void): void {
    // At least 1 ms, since a timer may fire a fraction of a millisecond early by the finer clock.
    this.#timers.set(rule, setTimeout(check, Math.max(1, Math.ceil(milliseconds))).unref());
  }
}
