import { constants } from "node:fs";
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, modesOf } from "./folders.ts";

const keptLogs = 10;
const keptMs = 7 * 24 * 3_600_000;
/** Of a log's beginning and of its end: what is told of a failure is in one of them. */
const readBytes = 32 * 1024;
const maxLines = 20;
const maxLineChars = 1_000;
const maxExceptionChars = 8 * 1024;

/** A new launch's log, open for appending. */
export interface LaunchLog extends AsyncDisposable {
  readonly path: string;
  readonly descriptor: number;
}

/** Makes the log of a launch, and removes old ones of the profile. */
export async function openLaunchLog(dataDirectory: string, profile: string, launchId: string): Promise<LaunchLog> {
  const folder = await makeFolder(dataDirectory, "logs", profile);
  await removeOldLogs(folder);
  const time = new Date().toISOString().replaceAll(/[-:.]/g, "");
  const path = join(folder, `${time}-${launchId}.log`);
  const { O_APPEND, O_CREAT, O_EXCL, O_WRONLY } = constants;
  const mode = (await modesOf(dataDirectory)).file;
  const handle = await open(path, O_APPEND | O_CREAT | O_EXCL | O_WRONLY, mode);
  return { path, descriptor: handle.fd, [Symbol.asyncDispose]: () => handle.close() };
}

/** Their names begin with their times. */
async function removeOldLogs(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /\.log(\.1)?$/.test(name)).sort();
  const logs = [...new Set(names.map((name) => name.replace(/\.1$/, "")))];
  for (const [index, name] of logs.entries()) {
    const path = join(folder, name);
    const old = index <= logs.length - keptLogs || (await ageMs(path)) > keptMs;
    // Another user's in a folder that is shared may stay.
    if (old) for (const file of [path, `${path}.1`]) await rm(file, { force: true }).catch(() => {});
  }
}

async function ageMs(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
}

/** What a log says of a failure. */
export interface LogDigest {
  /** With its stack; empty without one. */
  readonly firstException: string;
  readonly lastLines: readonly string[];
}

/** Reads the beginning and the end of a log, however long it is. */
export async function digestLog(path: string): Promise<LogDigest> {
  try {
    await using log = await open(path);
    const { size } = await log.stat();
    const head = await readText(log, 0, Math.min(size, readBytes));
    const tail = size <= readBytes ? head : await readText(log, Math.max(size - readBytes, 0), readBytes);
    const lines = tail.split("\n").filter((line) => line.trim() !== "");
    return {
      firstException: firstException(head) || firstException(tail),
      lastLines: lines.slice(-maxLines).map((line) => line.slice(0, maxLineChars)),
    };
  } catch {
    return { firstException: "", lastLines: [] };
  }
}

async function readText(log: FileHandle, position: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await log.read(Buffer.alloc(length), 0, length, position);
  return buffer.toString("utf8", 0, bytesRead);
}

/** From a line that names an exception to the end of its stack. */
function firstException(text: string): string {
  const lines = text.split("\n");
  const begin = lines.findIndex((line) => /\b\w*(?:Error|Exception)\b.*:/.test(line) && !line.startsWith("{"));
  if (begin < 0) return exceptionInJson(lines);
  let end = begin + 1;
  while (/^\s+\S/.test(lines[end] ?? "")) end++;
  return lines.slice(begin, end).join("\n").slice(0, maxExceptionChars);
}

/** The driver's own log lines are JSON, an error's stack among their fields. */
function exceptionInJson(lines: readonly string[]): string {
  for (const line of lines) {
    const stack = /"stack":("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
    if (stack !== undefined) return String(JSON.parse(stack)).slice(0, maxExceptionChars);
  }
  return "";
}
