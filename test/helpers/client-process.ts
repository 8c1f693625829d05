import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { EnsureDriverOptions } from "../../clients/node/src/index.ts";
import { bundleProgram } from "./bundled-program.ts";
import type { Exit } from "./driver.ts";
import { givenEnvironment } from "./given-environment.ts";

/** Where a client is to be killed on its way: before the spawn, right after it, in a phase of the driver's start, or when it is connected. */
export type DieAt = "starting" | "spawned" | "configuration" | "catalog" | "engine" | "serving" | "connected";

export type ClientCommand =
  | {
      readonly do: "ensure";
      readonly options: Omit<EnsureDriverOptions, "onEvent">;
      readonly delayMs?: number;
      readonly timeoutMs: number;
      readonly dieAt?: DieAt | undefined;
      /** Default: SIGKILL. */
      readonly by?: NodeJS.Signals | undefined;
    }
  | { readonly do: "ask"; readonly dataset: string; readonly timeoutMs: number }
  | { readonly do: "load"; readonly dataset: string; readonly uri: string; readonly timeoutMs: number }
  | { readonly do: "close" };

export type ClientEvent =
  | { readonly event: "up" | "loaded" | "closed" }
  | { readonly event: "step"; readonly step: string }
  | { readonly event: "connected"; readonly instanceId: string }
  | { readonly event: "failed"; readonly reason: string; readonly message: string }
  | { readonly event: "sum"; readonly dataset: string; readonly sum: number };

/** A client in a process of its own. Disposing kills it. */
export interface ClientProcess extends AsyncDisposable {
  readonly pid: number;
  readonly events: readonly ClientEvent[];
  readonly exited: Promise<Exit>;
  /** Gives a command; answers its last word, or undefined where the process died over it. */
  tell(command: ClientCommand): Promise<ClientEvent | undefined>;
  kill(signal: NodeJS.Signals): void;
}

/** Makes one file of the client's program. */
export function bundleClient(folder: string): Promise<string> {
  return bundleProgram("client", folder);
}

/** Starts a client and waits until its program is loaded. `wrapper` is a command that runs the rest of its arguments. */
export async function startClient(program: string, wrapper: readonly string[] = []): Promise<ClientProcess> {
  const [file = "", ...args] = [...wrapper, process.execPath, program];
  const child = spawn(file, args, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...givenEnvironment(), HOME: process.env.HOME },
  });
  const exited: Promise<Exit> = once(child, "close").then(([code, signal]) => ({ code, signal }));
  const events: ClientEvent[] = [];
  let last = Promise.withResolvers<ClientEvent | undefined>();
  createInterface(child.stdout).on("line", (line) => {
    const event: ClientEvent = JSON.parse(line);
    events.push(event);
    if (event.event !== "step") last.resolve(event);
  });
  void exited.then(() => last.resolve(undefined));
  // Who is dead reads nothing.
  child.stdin.on("error", () => {});
  const client: ClientProcess = {
    pid: child.pid ?? 0,
    events,
    exited,
    tell: (command) => {
      if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(undefined);
      last = Promise.withResolvers();
      child.stdin.write(`${JSON.stringify(command)}\n`);
      return last.promise;
    },
    kill: (signal) => {
      child.kill(signal);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
  if ((await last.promise)?.event !== "up") throw new Error("the client's program did not load");
  return client;
}
