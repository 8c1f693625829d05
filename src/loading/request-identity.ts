import type { JsonObject, OperationSnapshot } from "../operations/model.ts";

/** JSON text in which the order of keys makes no difference. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)))
      : item,
  );
}

/** Whether an operation is the load of this dataset with this configuration. */
export function isSameLoad(operation: OperationSnapshot, dataset: string, configuration: JsonObject): boolean {
  return (
    operation.kind === "load" &&
    operation.dataset === dataset &&
    canonicalJson(operation.configuration) === canonicalJson(configuration)
  );
}
