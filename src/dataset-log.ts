import type { DatasetEvent } from "./datasets/events.ts";
import type { Logger, LogLevel } from "./observability/logger.ts";

const LINES: Readonly<Record<DatasetEvent["type"], readonly [Exclude<LogLevel, "silent">, string]>> = {
  published: ["info", "a version was published"],
  dropped: ["info", "a dataset was deleted"],
  resident: ["info", "a version came into memory"],
  evicted: ["info", "a version left memory"],
  pinRefused: ["warn", "a pinned dataset's version has no room in memory"],
  residencyFailed: ["warn", "a version could not be brought into memory"],
  removed: ["info", "a version was removed"],
  damaged: ["error", "a version is damaged"],
  stagingRemoved: ["info", "what a dead driver left unfinished was removed"],
  cleanupFailed: ["warn", "something could not be removed; it is tried again at the next start"],
};

/** Logs what happens to datasets apart from calls. */
export function logDatasetEvent(logger: Logger, { type, ...fields }: DatasetEvent): void {
  const [level, message] = LINES[type];
  logger[level](message, fields);
}
