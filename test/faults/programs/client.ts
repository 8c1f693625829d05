import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { type Drover, DroverError, type EnsureDriverOptions, ensureDriver } from "../../../clients/node/src/index.ts";
import type { ClientCommand } from "../../helpers/client-process.ts";

// An app server that does as it is told, a JSON object in a line each, and says what happened in the same way.

let drover: Drover | undefined;

function say(event: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
}

function complain(error: unknown): void {
  if (!(error instanceof DroverError)) throw error;
  const { reason, message } = error;
  say("failed", { reason, message });
}

/** As if the machine, or somebody, had done it: there is no time for another word. */
function die(signal: NodeJS.Signals = "SIGKILL"): void {
  process.kill(process.pid, signal);
}

async function connect({ options, delayMs = 0, timeoutMs, dieAt, by }: Extract<ClientCommand, { do: "ensure" }>) {
  await delay(delayMs);
  const onEvent: EnsureDriverOptions["onEvent"] = (event) => {
    say("step", { step: event.type });
    if (event.type === dieAt || (event.type === "phase" && event.phase === dieAt)) die(by);
    if (event.type === "starting" && dieAt === "spawned") setTimeout(die, 5, by);
  };
  drover = await ensureDriver({ ...options, onEvent }, { timeoutMs });
  say("connected", { instanceId: drover.instanceId });
}

async function ask(dataset: string, timeoutMs: number): Promise<void> {
  const rows = await drover?.sql(`SELECT sum(n)::BIGINT AS s FROM "${dataset}"`, { timeoutMs }).rows();
  say("sum", { dataset, sum: Number([...(rows ?? [])][0]?.s) });
}

async function load(dataset: string, uri: string, timeoutMs: number): Promise<void> {
  await (await drover?.load(dataset, { uri }, { timeoutMs }))?.result();
  say("loaded");
}

async function run(command: ClientCommand): Promise<void> {
  switch (command.do) {
    case "ensure":
      return connect(command);
    case "ask":
      return ask(command.dataset, command.timeoutMs);
    case "load":
      return load(command.dataset, command.uri, command.timeoutMs);
    case "close":
      await drover?.close();
      say("closed");
  }
}

say("up");
for await (const line of createInterface(process.stdin)) {
  await run(JSON.parse(line) as ClientCommand).catch(complain);
}
await drover?.close();
