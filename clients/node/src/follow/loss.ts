import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { clientError, DroverError } from "../errors.ts";
import { DriverService } from "../gen/drover/v1/driver_service_pb.js";

/** Reasons that say that this driver, or the way to it, is no good any more, and nothing against the call itself. */
const reasons: ReadonlySet<string> = new Set(["UNREACHABLE", "STREAM_CUT", "NOT_SERVING", "DRIVER_STOPPED"]);

/** Those of them after which the driver may still be there, with what it was doing. */
const cuts: ReadonlySet<string> = new Set(["UNREACHABLE", "STREAM_CUT"]);

/** Whether another driver, or another connection, may do better. */
export function isLoss(error: unknown): error is DroverError {
  return error instanceof DroverError && reasons.has(error.reason);
}

/** Whether only the connection is known to be lost. */
export function isCut(error: unknown): boolean {
  return error instanceof DroverError && cuts.has(error.reason);
}

/** Whether a call may be repeated although it may have been processed, at the same driver or the next one. */
export function isRepeatable(method: DescMethod): boolean {
  return method.idempotency !== Level.IDEMPOTENCY_UNKNOWN && !isAboutProcess(method);
}

/** Whether the call is meant for this very process: repeated at the next one it would end that too. */
export function isAboutProcess(method: DescMethod): boolean {
  return method === DriverService.method.drain || method === DriverService.method.stop;
}

/** For a call that can't be repeated since nobody knows whether it was processed. */
export function instanceLost(what: string, instanceId: string, cause: unknown): DroverError {
  const who = instanceId === "" ? "the driver" : `the driver instance ${instanceId}`;
  return clientError("INSTANCE_LOST", `${who} was lost during ${what}`, { cause, metadata: { instanceId } });
}
