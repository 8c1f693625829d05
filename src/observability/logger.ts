import { constants, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type LogFields = Readonly<Record<string, unknown>>;

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
/** What may wait for a reader of stderr that stalls; lines beyond it are dropped and counted. */
const MAX_BUFFERED_CHARS = 1_000_000;
const RETRY_MS = 10;

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: "json" | "text";
  /** Default: stderr. A pipe, socket or terminal that doesn't block, or a file. */
  readonly descriptor?: number;
}

/**
 * Structured logs. A line is an object of `time`, `level`, `message` and fields; a pipe or terminal that nobody
 * reads never holds up the driver. Measured instead of pino: 1 ms at start instead of 24, and no worker thread to bundle.
 */
export class Logger {
  readonly #threshold: number;
  readonly #format: "json" | "text";
  readonly #descriptor: number;
  /** What a full pipe has not taken of a line that is being written. */
  #rest: Uint8Array = new Uint8Array();
  #lines: string[] = [];
  #size = 0;
  #dropped = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor({ level, format, descriptor = stderr() }: LoggerOptions) {
    this.#threshold = SEVERITY[level];
    this.#format = format;
    this.#descriptor = descriptor;
  }

  enabled(level: LogLevel): boolean {
    return SEVERITY[level] >= this.#threshold;
  }

  debug(message: string, fields?: LogFields): void {
    if (this.enabled("debug")) this.#log("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.enabled("info")) this.#log("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.enabled("warn")) this.#log("warn", message, fields);
  }

  /** `fields.error` may be an Error: its message, stack and causes are written. */
  error(message: string, fields?: LogFields): void {
    if (this.enabled("error")) this.#log("error", message, fields);
  }

  /** Gives what waits to a reader that has room for it now: the last act of the process. */
  flush(): void {
    this.#write();
  }

  #log(level: LogLevel, message: string, fields: LogFields = {}): void {
    const line = this.#format === "json" ? jsonLine(level, message, fields) : textLine(level, message, fields);
    if (this.#size + line.length > MAX_BUFFERED_CHARS) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#size += line.length;
    if (!this.#retry) this.#write();
  }

  /**
   * Synchronous: writes on libuv's threads overtake each other at a flush, and a process that is killed takes those with
   * it that have not begun.
   */
  #write(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      while (this.#rest.length > 0 || this.#lines.length > 0) {
        if (this.#rest.length === 0) this.#rest = Buffer.from(this.#take());
        this.#rest = this.#rest.subarray(writeSync(this.#descriptor, this.#rest));
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
        this.#retry = setTimeout(() => this.#write(), RETRY_MS).unref();
      } else {
        // Nobody reads any more; there is no other place to say so.
        this.#rest = new Uint8Array();
      }
    }
  }

  #take(): string {
    if (this.#dropped > 0) {
      this.#lines.push(jsonLine("warn", "log lines were dropped because nobody read them", { dropped: this.#dropped }));
      this.#dropped = 0;
    }
    const text = this.#lines.join("");
    this.#lines = [];
    this.#size = 0;
    return text;
  }
}

/**
 * Node makes pipes and sockets non-blocking when it opens `process.stderr`, but not terminals, which stop (Ctrl-S, a lost
 * connection): those are opened once more, since the flag is everybody's who has the same opening.
 */
function stderr(): number {
  const { fd } = process.stderr;
  if (!isatty(fd)) return fd;
  try {
    return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Another user's, as behind `su`.
    return fd;
  }
}

function jsonLine(level: LogLevel, message: string, fields: LogFields): string {
  const record = { time: new Date().toISOString(), level, message, ...fields };
  return `${JSON.stringify(record, replacer)}\n`;
}

function textLine(level: LogLevel, message: string, fields: LogFields): string {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value, replacer)}`);
  return `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${message}${rest.join("")}\n`;
}

function replacer(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  const reason = "reason" in value ? { reason: value.reason } : {};
  return { name, message, ...reason, stack, ...(cause === undefined ? {} : { cause }) };
}
