import { create } from "@bufbuild/protobuf";
import { DriverError } from "../../errors/driver-error.ts";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from "../../gen/grpc/health/v1/health_pb.js";
import type { Readiness } from "../../lifecycle/readiness.ts";
import { type BoundMethod, bindService } from "../service.ts";

/** grpc.health.v1 with true readiness: SERVING only while work is taken. `services` are the names that may be asked for. */
export function healthService(readiness: Readiness, services: readonly string[]): readonly BoundMethod[] {
  const known = new Set(["", ...services]);
  const status = () =>
    readiness.serving ? HealthCheckResponse_ServingStatus.SERVING : HealthCheckResponse_ServingStatus.NOT_SERVING;
  const answer = (service: string): HealthCheckResponse =>
    create(HealthCheckResponseSchema, {
      status: known.has(service) ? status() : HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN,
    });
  return bindService(
    Health,
    { roles: { check: "anyone", list: "anyone", watch: "anyone" }, work: [] },
    {
      check: ({ service }) => {
        if (known.has(service)) return answer(service);
        throw new DriverError("UNKNOWN_SERVICE", `the driver has no service ${JSON.stringify(service)}`, {
          metadata: { service },
        });
      },
      list: () => {
        const statuses = Object.fromEntries([...known].map((service) => [service, answer(service)]));
        return create(HealthListResponseSchema, { statuses });
      },
      async *watch({ service }, { signal }) {
        let last = answer(service);
        yield last;
        for await (const _ of changes(readiness, signal)) {
          const next = answer(service);
          // Draining and stopping are the same to a watcher.
          if (next.status !== last.status) yield next;
          last = next;
        }
      },
    },
  );
}

/** One item for each change, until the signal is aborted; changes that nobody took yet become one. */
async function* changes(readiness: Readiness, signal: AbortSignal): AsyncGenerator<void> {
  let changed = false;
  let wake: (() => void) | undefined;
  const notify = () => {
    changed = true;
    wake?.();
  };
  const stop = readiness.onChange(notify);
  const onAbort = () => wake?.();
  signal.addEventListener("abort", onAbort);
  try {
    while (true) {
      signal.throwIfAborted();
      if (changed) {
        changed = false;
        yield;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stop();
    signal.removeEventListener("abort", onAbort);
  }
}
