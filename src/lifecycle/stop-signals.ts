/**
 * Calls `stop` at the first SIGTERM or SIGINT and `hurry` at the next. Answers a function that takes the listeners off.
 */
export function onStopSignal(
  stop: (signal: NodeJS.Signals) => void,
  hurry: (signal: NodeJS.Signals) => void,
): () => void {
  let asked = false;
  const listener = (signal: NodeJS.Signals) => {
    if (asked) return hurry(signal);
    asked = true;
    stop(signal);
  };
  process.on("SIGTERM", listener);
  process.on("SIGINT", listener);
  return () => {
    process.off("SIGTERM", listener);
    process.off("SIGINT", listener);
  };
}
