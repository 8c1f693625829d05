import type { LoadedConfig } from "../config/load-config.ts";
import type { DatasetEvent } from "../datasets/events.ts";
import { Activity } from "../lifecycle/activity.ts";
import type { DriverControl } from "../lifecycle/control.ts";
import { DriverEvents } from "../lifecycle/driver-events.ts";
import { Leases } from "../lifecycle/leases.ts";
import { Lifetime, lifetimeRules } from "../lifecycle/lifetime.ts";
import { MemoryPressure } from "../lifecycle/memory-pressure.ts";
import type { Readiness } from "../lifecycle/readiness.ts";
import type { Logger } from "../observability/logger.ts";

export interface DriverLifeOptions {
  readonly config: LoadedConfig;
  /** Whether a client started the driver. */
  readonly spawned: boolean;
  readonly control: DriverControl;
  readonly readiness: Readiness;
  readonly logger: Logger;
  /** The memory budget. */
  readonly budgetBytes: number;
  /** How many operations run or wait. */
  runningOperations(): number;
  /** Whether something is due within so many milliseconds for which this driver is wanted. */
  isWantedWithin(milliseconds: number): boolean;
}

/** Who is attached, what they are told, and when the driver ends by itself. */
export interface DriverLife extends Disposable {
  readonly events: DriverEvents;
  readonly leases: Leases;
  readonly activity: Activity;
  readonly lifetime: Lifetime;
  readonly pressure: MemoryPressure;
  /** Tells attached clients what happened to a dataset. */
  tell(event: DatasetEvent): void;
}

export function openDriverLife(options: DriverLifeOptions): DriverLife {
  const { config, spawned, control, readiness, logger, budgetBytes, runningOperations } = options;
  const rules = lifetimeRules(config, { spawned });
  const events = new DriverEvents();
  const leases = new Leases();
  const activity = new Activity();
  const lifetime = new Lifetime({
    rules,
    activity,
    control,
    drainTimeoutMs: config.settings.drainTimeout,
    // Who would end now would be started again before long.
    isBusy: () => leases.size > 0 || runningOperations() > 0 || options.isWantedWithin(rules.idle),
  });
  const pressure = new MemoryPressure({
    budgetBytes,
    processBytes: () => process.memoryUsage.rss(),
    onChange: (change) => {
      logger.info("the memory pressure changed", { ...change, budgetBytes });
      events.emit({ type: "memoryPressure", ...change, budgetBytes });
    },
  });
  control.onChange(({ reason, deadline }) => events.emit({ type: "draining", reason, deadline }));
  readiness.onChange((state) => {
    if (state === "serving") lifetime.start();
    else lifetime[Symbol.dispose]();
  });
  return {
    ...{ events, leases, activity, lifetime, pressure },
    tell: (event) => {
      if (event.type === "published") events.emit({ ...event, type: "datasetPublished" });
      if (event.type === "dropped") events.emit({ ...event, type: "datasetDropped" });
      if (event.type === "evicted") events.emit({ ...event, type: "datasetEvicted" });
      if (event.type === "pinRefused") {
        const { dataset, version, error } = event;
        events.emit({ type: "datasetPinRefused", dataset, version, message: error.message });
      }
    },
    [Symbol.dispose]: () => {
      lifetime[Symbol.dispose]();
      pressure[Symbol.dispose]();
    },
  };
}
