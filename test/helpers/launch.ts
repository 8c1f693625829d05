import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { driverCommand, type Exit } from "./driver.ts";
import { givenEnvironment } from "./given-environment.ts";

/** A message of docs/lifecycle.md. */
export interface LaunchMessage {
  readonly launchId: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface LaunchOptions {
  readonly dataDir: string;
  readonly launchId?: string;
  /** More flags of `serve`. */
  readonly args?: readonly string[];
  /** The driver's program with its first arguments. */
  readonly command?: readonly string[];
  /** Where its stderr goes. Default: `log()` answers it. */
  readonly stderr?: number;
}

/** A driver process that was started as a client starts it, on a free port. */
export interface Launch extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  /** The messages so far. */
  readonly messages: readonly LaunchMessage[];
  /** Waits for a message; rejects with the log when the pipe ends without it. */
  message(event: string): Promise<LaunchMessage>;
  /** Leaves the driver to itself, like a client that has gone. */
  leave(): void;
  log(): string;
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

/** Starts a driver with a pipe for its launch messages. Disposing kills it. */
export function launchDriver({ dataDir, launchId = "launch", args = [], command, stderr }: LaunchOptions): Launch {
  const [file = "", ...first] = command ?? driverCommand();
  const place = ["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0"];
  const child = spawn(file, [...first, ...place, "--launch-id", launchId, "--launch-fd", "3", ...args], {
    stdio: ["ignore", "ignore", stderr ?? "pipe", "pipe"],
    env: { ...givenEnvironment(), HOME: process.env.HOME },
  });
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const exited: Promise<Exit> = once(child, "close").then(([code, signal]) => ({ code, signal }));
  const pipe = child.stdio[3] as Readable;
  const messages: LaunchMessage[] = [];
  let changed = Promise.withResolvers<void>();
  let ended = false;
  const wake = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const lines = createInterface({ input: pipe });
  lines.on("line", (line) => {
    messages.push(JSON.parse(line));
    wake();
  });
  lines.on("close", () => {
    ended = true;
    wake();
  });
  const stop = (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    return exited;
  };
  return {
    process: child,
    exited,
    messages,
    message: async (event) => {
      for (;;) {
        const found = messages.find((message) => message.event === event);
        if (found !== undefined) return found;
        if (ended) throw new Error(`no message ${event} in ${JSON.stringify(messages)}\n${log}`);
        await changed.promise;
      }
    },
    leave: () => pipe.destroy(),
    log: () => log,
    stop,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) await stop("SIGKILL");
    },
  };
}
