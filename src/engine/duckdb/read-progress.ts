import type { EngineProgress } from "../types.ts";
import type { Connection } from "./connection.ts";

const INTERVAL_MS = 100;

/** Reports a connection's progress ten times a second until disposed. What is reported never goes back. */
export function reportProgress(connection: Connection, onProgress: (progress: EngineProgress) => void): Disposable {
  let last: EngineProgress = { fraction: undefined, rows: 0 };
  const timer = setInterval(() => {
    last = furthest(last, connection.progress());
    onProgress(last);
  }, INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** The engine starts again at 0 with each pipeline and says nothing between them. */
function furthest(last: EngineProgress, now: EngineProgress): EngineProgress {
  const fraction = now.fraction === undefined ? last.fraction : Math.max(last.fraction ?? 0, now.fraction);
  return { fraction, rows: Math.max(last.rows, now.rows) };
}
