import { createHash } from "node:crypto";
import type { JsonObject, OperationRequest, OperationSnapshot } from "./model.ts";

/** JSON text in which the order of keys makes no difference, and NaN and infinities do. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "bigint" || (typeof item === "number" && !Number.isFinite(item))
      ? item.toString()
      : typeof item === "object" && item !== null && !Array.isArray(item)
        ? Object.fromEntries(Object.entries(item).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)))
        : item,
  );
}

/** What tells a configuration from others, also where a record keeps only its beginning. */
export function configurationDigest(configuration: JsonObject): string {
  const { truncated, sha256 } = configuration;
  if (typeof truncated === "string" && typeof sha256 === "string") return sha256;
  return createHash("sha256").update(canonicalJson(configuration)).digest("hex");
}

/** Whether an operation is what a request asks for. */
export function isSameRequest(
  operation: OperationSnapshot,
  { kind, dataset, configuration }: Pick<OperationRequest, "kind" | "dataset" | "configuration">,
): boolean {
  return (
    operation.kind === kind &&
    operation.dataset === dataset &&
    configurationDigest(operation.configuration) === configurationDigest(configuration)
  );
}

/** Whether an operation was cut short by the end of its driver: asked for again, it runs again under its id. */
export function isInterrupted({ state, error }: OperationSnapshot): boolean {
  return state === "lost" || (state === "cancelled" && error?.reason === "DRIVER_STOPPED");
}
