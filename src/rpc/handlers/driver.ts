import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Access, isAtLeast } from "../../access/model.ts";
import {
  DrainResponseSchema,
  DriverService,
  DriverState,
  type GetDriverResponse,
  GetDriverResponseSchema,
  LeaseSchema,
  ProveIdentityResponseSchema,
  type RunningLibrarySetSchema,
  StopResponseSchema,
  type WorkersSchema,
} from "../../gen/drover/v1/driver_service_pb.js";
import type { BoundSets } from "../../library-sets/bind-sets.ts";
import type { Identity } from "../../lifecycle/identity.ts";
import { proveIdentity } from "../../lifecycle/identity-proof.ts";
import type { Lease } from "../../lifecycle/leases.ts";
import type { DriverState as State } from "../../lifecycle/readiness.ts";
import type { WorkerPoolStatus } from "../../loading/workers/model.ts";
import type { PoolStatus } from "../../scheduling/model.ts";
import { invalidField } from "../mapping/invalid-field.ts";
import { type BoundMethod, bindService } from "../service.ts";
import { type AttachParts, attach } from "./attach.ts";

/** How the memory budget is used; in bytes. */
export interface MemoryStatus {
  readonly budget: number;
  readonly residentBudget: number;
  readonly resident: number;
  readonly readerLimit: number;
  readonly loaderLimit: number;
  readonly process: number;
}

/** How a client started this driver; neither is known of `drover serve` by hand. */
export interface Launch {
  readonly id?: string | undefined;
  readonly logFile?: string | undefined;
}

export interface DriverParts extends AttachParts {
  readonly identity: Identity;
  /** Of the token file. */
  readonly token: string;
  /** What it keeps of another token, by its key; undefined where there is none. */
  readonly proofKey: (tokenKey: string) => string | undefined;
  readonly launch: Launch;
  readonly capabilities: readonly string[];
  readonly threads: number;
  /** The `drainTimeout` setting. */
  readonly drainTimeoutMs: number;
  /** The `stopGrace` setting. */
  readonly stopGraceMs: number;
  /** `host:port` where the driver listens. */
  address(): string;
  pools(): readonly PoolStatus[];
  memory(): MemoryStatus;
  workers(): WorkerPoolStatus;
  readonly librarySets: BoundSets;
  /** The event loop's delay at the 99th percentile, in seconds. */
  eventLoopDelay(): number;
  /** How many operations run or wait. */
  runningOperations(): number;
}

const NONCE_BYTES = { min: 16, max: 64 } as const;
/** A handshake may be this old: clients ask many at once, and the counts in it change all the time anyway. */
const MAX_AGE_MS = 50;
/** The longest that a timer can take. */
const MAX_DRAIN_MS = 24 * 86_400_000;

export function driverService(parts: DriverParts): readonly BoundMethod[] {
  const { identity, token, proofKey, control, runningOperations } = parts;
  let answer: GetDriverResponse | undefined;
  let madeAt = 0;
  const outdate = () => {
    answer = undefined;
  };
  parts.readiness.onChange(outdate);
  control.onChange(outdate);
  const end = (timeoutMs: number, reason: string) => {
    const { deadline } = control.end({ reason, timeoutMs });
    return { deadline: timestampFromDate(deadline), runningOperations: runningOperations() };
  };
  return bindService(
    DriverService,
    {
      roles: { proveIdentity: "anyone", getDriver: "reader", attach: "reader", drain: "admin", stop: "admin" },
      work: [],
    },
    {
      proveIdentity: ({ nonce, tokenKey }) => {
        // Not by a rule in the contract: the first call of a fresh driver would wait 150 ms for the rules' library.
        if (nonce.length < NONCE_BYTES.min || nonce.length > NONCE_BYTES.max)
          throw invalidField("nonce", `has ${nonce.length} bytes, not ${NONCE_BYTES.min} to ${NONCE_BYTES.max}`);
        const secret = (tokenKey && proofKey(tokenKey)) || token;
        const shown = { instanceId: identity.instanceId, address: parts.address() };
        return create(ProveIdentityResponseSchema, { ...shown, proof: proveIdentity(secret, shown, nonce) });
      },
      getDriver: (_request, { access }) => {
        const now = performance.now();
        if (answer === undefined || now - madeAt > MAX_AGE_MS) {
          answer = describe(parts);
          madeAt = now;
        }
        return access.role === "admin" ? answer : ofOwn(answer, parts, access);
      },
      attach: (request, call) => attach(parts, request, call),
      drain: ({ reason, timeout }, { principal }) =>
        create(DrainResponseSchema, end(drainTimeout(timeout, parts), reason || `${principal} asked it to drain`)),
      stop: ({ reason }, { principal }) =>
        create(StopResponseSchema, end(parts.stopGraceMs, reason || `${principal} asked it to stop`)),
    },
  );
}

function drainTimeout(timeout: Duration | undefined, { drainTimeoutMs }: DriverParts): number {
  return timeout === undefined ? drainTimeoutMs : Math.min(durationMs(timeout), MAX_DRAIN_MS);
}

const STATES: Readonly<Record<State, DriverState>> = {
  starting: DriverState.STARTING,
  serving: DriverState.SERVING,
  draining: DriverState.DRAINING,
  stopping: DriverState.STOPPING,
};

function describe(parts: DriverParts): GetDriverResponse {
  const { identity, launch } = parts;
  const memory = parts.memory();
  return create(GetDriverResponseSchema, {
    version: identity.version,
    apiVersion: identity.apiVersion,
    instanceId: identity.instanceId,
    profile: identity.profile,
    fingerprint: identity.fingerprint,
    state: STATES[parts.readiness.state],
    startTime: timestampFromDate(identity.startTime),
    pid: identity.pid,
    capabilities: [...parts.capabilities],
    pools: [...parts.pools()],
    memory: {
      budgetBytes: BigInt(memory.budget),
      residentBudgetBytes: BigInt(memory.residentBudget),
      residentBytes: BigInt(memory.resident),
      readerLimitBytes: BigInt(memory.readerLimit),
      loaderLimitBytes: BigInt(memory.loaderLimit),
      processBytes: BigInt(memory.process),
    },
    workers: fromWorkers(parts.workers()),
    threads: parts.threads,
    eventLoopDelayP99Ms: parts.eventLoopDelay() * 1000,
    leases: parts.leases.list().map(fromLease),
    runningOperations: parts.runningOperations(),
    drainReason: parts.control.draining?.reason ?? "",
    launchId: launch.id ?? "",
    logFile: launch.logFile ?? "",
    librarySets: fromBoundSets(parts.librarySets),
  });
}

function fromBoundSets({ all, kinds, sources }: BoundSets): MessageInitShape<typeof RunningLibrarySetSchema>[] {
  return all.map((set) => ({
    ...{ name: set.name, hash: set.hash, packages: set.manifest.asked.map(({ name, version }) => ({ name, version })) },
    kinds: [...kinds].flatMap(([kind, serving]) => (serving === set ? [kind] : [])).sort(),
    sourcePatterns: sources.flatMap(({ pattern, set: serving }) => (serving === set ? [pattern] : [])),
  }));
}

/**
 * Who else is attached is for administrators; what datasets take in memory, all together, for those who see all of them; how sources are
 * called, for those who may list them.
 */
function ofOwn(
  { memory, librarySets, ...answer }: GetDriverResponse,
  { leases }: DriverParts,
  asker: Access,
): GetDriverResponse {
  const own = leases.list().filter(({ owner }) => asker.owns(owner));
  const seesSources = isAtLeast(asker.role, "loader") && !asker.restricted;
  return create(GetDriverResponseSchema, {
    ...answer,
    ...(memory && { memory: asker.unbounded ? memory : { ...memory, residentBytes: 0n, processBytes: 0n } }),
    librarySets: seesSources ? librarySets : librarySets.map((set) => ({ ...set, sourcePatterns: [] })),
    leases: own.map((lease) => create(LeaseSchema, fromLease(lease))),
  });
}

function fromWorkers({
  workerBytes,
  memoryBytes,
  ...counts
}: WorkerPoolStatus): MessageInitShape<typeof WorkersSchema> {
  return { ...counts, workerBytes: BigInt(workerBytes), bytes: BigInt(memoryBytes) };
}

function fromLease({ since, owner: _, ...lease }: Lease): MessageInitShape<typeof LeaseSchema> {
  return { ...lease, attachTime: timestampFromDate(since) };
}
