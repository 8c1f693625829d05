import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { driverProgram } from "./driver.ts";

const script = join(import.meta.dirname, "waiting-client.ts");

export interface Connected {
  readonly instanceId: string;
  readonly ms: number;
}

/** Client processes that are loaded and wait, so that what is measured is the way to the driver and not 50 starts of Node. */
export class WaitingClients implements AsyncDisposable {
  readonly #children: readonly ChildProcess[];
  readonly #lines: readonly AsyncIterator<string>[];

  private constructor(children: readonly ChildProcess[], lines: readonly AsyncIterator<string>[]) {
    this.#children = children;
    this.#lines = lines;
  }

  static async start(count: number, dataDirectory: string): Promise<WaitingClients> {
    const children = Array.from({ length: count }, () =>
      spawn(process.execPath, ["--conditions=drover-source", "--no-warnings", script, dataDirectory, driverProgram], {
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
    const lines = children.map(({ stdout }) => createInterface({ input: stdout })[Symbol.asyncIterator]());
    await Promise.all(lines.map((iterator) => iterator.next()));
    return new WaitingClients(children, lines);
  }

  /** Lets them all go at once and waits until every one is connected. */
  async go(): Promise<readonly Connected[]> {
    for (const { stdin } of this.#children) stdin?.write("go\n");
    return Promise.all(
      this.#lines.map(async (iterator) => {
        const { value } = await iterator.next();
        if (value === undefined) throw new Error("a client ended without a driver");
        return JSON.parse(value) as Connected;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.stdin?.end();
        await ended;
      }),
    );
  }
}
