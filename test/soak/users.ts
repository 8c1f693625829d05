import { setTimeout as delay } from "node:timers/promises";
import { type Drover, DroverError } from "../../clients/node/src/index.ts";
import { type ClientProcess, startClient } from "../helpers/client-process.ts";
import { type FaultScene, sumIn, withinDeadline } from "../helpers/fault-scene.ts";

const timeoutMs = 20_000;
const inProcess = 3;
const processes = 2;

/**
 * How a question may end beside its answer: work that lost several drivers in a row is given up, and so is a start that
 * failed. Anything else is a fault of ours.
 */
const pardoned: ReadonlySet<string> = new Set([
  ...["UNREACHABLE", "STREAM_CUT", "NOT_SERVING", "DRIVER_STOPPED", "DEADLINE_EXCEEDED", "DRIVER_START_FAILED"],
  ...["DRIVER_CRASH_LOOP", "DRIVER_UNRESPONSIVE"],
]);

/** Clients, in this process and in others, that ask the same question all the time. */
export class Users implements AsyncDisposable {
  readonly #scene: FaultScene;
  readonly #program: string;
  readonly #running: Promise<void>[] = [];
  readonly #processes: (ClientProcess | undefined)[] = [];
  readonly #ends = new Map<string, number>();
  #wrong: unknown;
  #over = false;

  private constructor({ scene, client }: { readonly scene: FaultScene; readonly client: string }) {
    this.#scene = scene;
    this.#program = client;
  }

  static async start(options: { readonly scene: FaultScene; readonly client: string }): Promise<Users> {
    const users = new Users(options);
    for (let index = 0; index < inProcess; index++) users.#run(() => users.#askHere());
    for (let index = 0; index < processes; index++) users.#run(() => users.#askThere(index));
    return users;
  }

  /** A client's program. */
  get program(): string {
    return this.#program;
  }

  /** Throws what a user has seen that must not be. */
  check(): void {
    if (this.#wrong !== undefined) throw this.#wrong;
  }

  /** The process of one of the clients, which is followed by another when it dies. */
  process(index: number): ClientProcess | undefined {
    return this.#processes[index % processes];
  }

  get summary(): string {
    return [...this.#ends].map(([what, count]) => `${what} ${count}`).join(", ");
  }

  /** Lets everybody finish, and waits for it. */
  async stop(): Promise<void> {
    this.#over = true;
    await withinDeadline(Promise.all(this.#running), timeoutMs * 3, "the end of the clients");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #run(work: () => Promise<void>): void {
    this.#running.push(
      work().catch((error: unknown) => {
        this.#wrong ??= error;
      }),
    );
  }

  #count(end: string): void {
    this.#ends.set(end, (this.#ends.get(end) ?? 0) + 1);
  }

  #pardon(reason: string, message: string): void {
    if (!pardoned.has(reason)) throw new Error(`a client was told ${reason}: ${message}`);
    this.#count(reason);
  }

  #answered(sum: number): void {
    const expected = this.#scene.sums.get("before");
    if (sum !== expected) throw new Error(`a client was answered ${sum} instead of ${expected}`);
    this.#count("answers");
  }

  async #askHere(): Promise<void> {
    let drover: Drover | undefined;
    try {
      while (!this.#over) {
        try {
          drover ??= await this.#scene.ensure(
            { unresponsiveAfterMs: 1_000, keepaliveMs: 1_000, lease: { name: "soak" } },
            timeoutMs,
          );
          this.#answered(await sumIn(drover, "before", timeoutMs));
        } catch (error) {
          if (!(error instanceof DroverError)) throw error;
          this.#pardon(error.reason, error.message);
        }
        await delay(20);
      }
    } finally {
      await drover?.close();
    }
  }

  async #askThere(index: number): Promise<void> {
    let client: ClientProcess | undefined;
    try {
      while (!this.#over) {
        if (client === undefined) {
          client = await startClient(this.#program);
          this.#processes[index] = client;
          const options = { ...this.#scene.options, unresponsiveAfterMs: 1_000, keepaliveMs: 1_000 };
          const end = await withinDeadline(client.tell({ do: "ensure", options, timeoutMs }), timeoutMs, "a client");
          if (end?.event === "failed") this.#pardon(end.reason, end.message);
          if (end?.event === "connected") continue;
        } else {
          const asked = client.tell({ do: "ask", dataset: "before", timeoutMs });
          const end = await withinDeadline(asked, timeoutMs, "a client's question");
          if (end?.event === "failed") this.#pardon(end.reason, end.message);
          if (end?.event === "sum") this.#answered(end.sum);
          await delay(20);
          if (end !== undefined) continue;
        }
        // It was killed, or has no driver: another one comes.
        await client[Symbol.asyncDispose]();
        client = undefined;
      }
    } finally {
      await client?.[Symbol.asyncDispose]();
    }
  }
}
