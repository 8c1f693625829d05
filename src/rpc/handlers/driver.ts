import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  DriverService,
  DriverState,
  type GetDriverResponse,
  GetDriverResponseSchema,
} from "../../gen/drover/v1/driver_service_pb.js";
import type { Identity } from "../../lifecycle/identity.ts";
import type { Readiness, DriverState as State } from "../../lifecycle/readiness.ts";
import type { PoolStatus } from "../../scheduling/model.ts";
import { type BoundMethod, bindService } from "../service.ts";

/** How the memory budget is used; in bytes. */
export interface MemoryStatus {
  readonly budget: number;
  readonly residentBudget: number;
  readonly resident: number;
  readonly readerLimit: number;
  readonly loaderLimit: number;
  readonly process: number;
}

export interface DriverFacts {
  readonly identity: Identity;
  readonly readiness: Readiness;
  readonly capabilities: readonly string[];
  readonly threads: number;
  pools(): readonly PoolStatus[];
  memory(): MemoryStatus;
  /** The event loop's delay at the 99th percentile, in seconds. */
  eventLoopDelay(): number;
}

/** A handshake may be this old: clients ask many at once, and the counts in it change all the time anyway. */
const MAX_AGE_MS = 50;

export function driverService(facts: DriverFacts): readonly BoundMethod[] {
  let answer: GetDriverResponse | undefined;
  let madeAt = 0;
  facts.readiness.onChange(() => {
    answer = undefined;
  });
  return bindService(
    DriverService,
    { authenticated: true, work: [] },
    {
      getDriver: () => {
        const now = performance.now();
        if (answer === undefined || now - madeAt > MAX_AGE_MS) {
          answer = describe(facts);
          madeAt = now;
        }
        return answer;
      },
    },
  );
}

const STATES: Readonly<Record<State, DriverState>> = {
  starting: DriverState.STARTING,
  serving: DriverState.SERVING,
  stopping: DriverState.STOPPING,
};

function describe(facts: DriverFacts): GetDriverResponse {
  const { identity } = facts;
  const memory = facts.memory();
  return create(GetDriverResponseSchema, {
    version: identity.version,
    apiVersion: identity.apiVersion,
    instanceId: identity.instanceId,
    profile: identity.profile,
    fingerprint: identity.fingerprint,
    state: STATES[facts.readiness.state],
    startTime: timestampFromDate(identity.startTime),
    pid: identity.pid,
    capabilities: [...facts.capabilities],
    pools: [...facts.pools()],
    memory: {
      budgetBytes: BigInt(memory.budget),
      residentBudgetBytes: BigInt(memory.residentBudget),
      residentBytes: BigInt(memory.resident),
      readerLimitBytes: BigInt(memory.readerLimit),
      loaderLimitBytes: BigInt(memory.loaderLimit),
      processBytes: BigInt(memory.process),
    },
    threads: facts.threads,
    eventLoopDelayP99Ms: facts.eventLoopDelay() * 1000,
  });
}
