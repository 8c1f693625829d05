/** Whether there was no memory for a buffer, in Node's words or V8's. A heap that is full ends the process instead. */
export function isOutOfMemory(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  if ("code" in thrown && thrown.code === "ERR_MEMORY_ALLOCATION_FAILED") return true;
  return thrown instanceof RangeError && thrown.message === "Array buffer allocation failed";
}
