import type { OperationProgress, OperationSnapshot, Operations } from "./model.ts";

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: OperationProgress) => void;
}

/** Waits for an operation's end and answers it; throws its error unless it has succeeded. Leaving does not cancel it. */
export async function followOperation(
  operations: Operations,
  id: string,
  { signal, onProgress }: FollowOptions,
): Promise<OperationSnapshot> {
  for await (const event of operations.watch(id, { signal })) {
    if (event.type === "progress") onProgress?.(event.progress);
    if (event.type !== "ended") continue;
    if (event.operation.error !== undefined) throw event.operation.error;
    return event.operation;
  }
  return operations.get(id);
}
