import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Access } from "../../access/model.ts";
import type { DriverError } from "../../errors/driver-error.ts";
import {
  type AttachRequest,
  type AttachResponse,
  AttachResponseSchema,
  EvictionReason,
} from "../../gen/drover/v1/driver_service_pb.js";
import type { DriverControl } from "../../lifecycle/control.ts";
import type { DriverEvent, DriverEvents } from "../../lifecycle/driver-events.ts";
import { EventQueue } from "../../lifecycle/event-queue.ts";
import type { Leases } from "../../lifecycle/leases.ts";
import type { Readiness } from "../../lifecycle/readiness.ts";
import { requireServing } from "../../lifecycle/serving.ts";
import type { Call } from "../call.ts";

const HEARTBEAT_INTERVAL_MS = 5_000;
const MAX_UNREAD_EVENTS = 256;

export interface AttachParts {
  readonly readiness: Readiness;
  readonly control: DriverControl;
  readonly events: DriverEvents;
  readonly leases: Leases;
}

/** Holds a lease until the call ends. It is no work: it never holds up the end of a driver that drains. */
export async function* attach(
  { readiness, control, events, leases }: AttachParts,
  { clientName, clientHost, clientPid, clientVersion }: AttachRequest,
  call: Call,
): AsyncGenerator<AttachResponse> {
  requireServing(readiness);
  const { principal, signal } = call;
  const { owner } = call.access;
  using lease = leases.take({ clientName, clientHost, clientPid, clientVersion, principal, owner });
  // A client that reads nothing any more is not attached and keeps nothing alive, though it can't be told so before it reads on.
  const onOverflow = (error: DriverError) => {
    lease[Symbol.dispose]();
    call.abort(() => error);
  };
  using queue = new EventQueue(seenEvents(events, call.access), { maxEvents: MAX_UNREAD_EVENTS, onOverflow });
  yield response({
    case: "attached",
    value: { leaseId: lease.id, heartbeatInterval: durationFromMs(HEARTBEAT_INTERVAL_MS) },
  });
  // Asked to end already, but still serving: the event was before the queue.
  if (control.draining) yield response(fromDriverEvent({ type: "draining", ...control.draining }));
  while (true) {
    const event = await queue.next({ signal, timeoutMs: HEARTBEAT_INTERVAL_MS });
    yield response(event ? fromDriverEvent(event) : { case: "heartbeat", value: {} });
  }
}

/** Events of the driver, and of datasets that the caller may read, without what tells how much there is that he doesn't see. */
function seenEvents(events: Pick<DriverEvents, "listen">, access: Access): Pick<DriverEvents, "listen"> {
  if (access.unbounded) return events;
  return {
    listen: (listener) =>
      events.listen((event) => {
        if (event.type === "memoryPressure") return listener({ ...event, processBytes: 0 });
        if (!("dataset" in event)) return listener(event);
        if (!access.mayRead(event.dataset)) return;
        const isPart = access.restriction(event.dataset) !== undefined;
        if (isPart && event.type === "datasetEvicted") return listener({ ...event, bytes: 0 });
        if (isPart && event.type === "datasetPinRefused") return listener({ ...event, message: "" });
        listener(event);
      }),
  };
}

const EVICTION_REASONS: Readonly<Record<string, EvictionReason>> = {
  budget: EvictionReason.BUDGET,
  idle: EvictionReason.IDLE,
  superseded: EvictionReason.SUPERSEDED,
  removed: EvictionReason.REMOVED,
  level: EvictionReason.LEVEL,
  requested: EvictionReason.REQUESTED,
};

type ProtoEvent = NonNullable<MessageInitShape<typeof AttachResponseSchema>["event"]>;

function response(event: ProtoEvent): AttachResponse {
  return create(AttachResponseSchema, { event });
}

function fromDriverEvent(event: DriverEvent): ProtoEvent {
  switch (event.type) {
    case "datasetPublished":
      return { case: event.type, value: { dataset: event.dataset, version: BigInt(event.version) } };
    case "datasetDropped":
      return { case: event.type, value: { dataset: event.dataset } };
    case "datasetEvicted": {
      const { dataset, version, bytes, reason } = event;
      const value = { dataset, version: BigInt(version), bytes: BigInt(bytes), reason: EVICTION_REASONS[reason] ?? 0 };
      return { case: event.type, value };
    }
    case "datasetPinRefused": {
      const { dataset, version, message } = event;
      return { case: event.type, value: { dataset, version: BigInt(version), message } };
    }
    case "draining":
      return { case: event.type, value: { reason: event.reason, deadline: timestampFromDate(event.deadline) } };
    case "memoryPressure": {
      const { high, processBytes, budgetBytes } = event;
      return {
        case: event.type,
        value: { high, processBytes: BigInt(processBytes), budgetBytes: BigInt(budgetBytes) },
      };
    }
  }
}
