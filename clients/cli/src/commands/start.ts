import type { Command } from "commander";
import type { EnsureEvent } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { tokenFileOf } from "../globals.ts";
import { pairs } from "../render/table.ts";
import { durationText } from "../render/units.ts";

type Connected = Extract<EnsureEvent, { type: "connected" }>;

/** `drover start` */
export function registerStart(program: Command, act: Act): void {
  program
    .command("start")
    .description("find the profile's driver, or start it, and tell the steps; other commands do so by themselves")
    .action(act((context) => start(context, [])));
}

/** `drover ensure` */
export function registerEnsure(program: Command, act: Act): void {
  program
    .command("ensure")
    .description("find the profile's driver, or start it, and print what a client of any language needs")
    .action(act((context) => ensure(context)));
}

async function start(context: Context, events: EnsureEvent[]): Promise<void> {
  const { globals, output } = context;
  await using drover = await context.connect({ onEvent: (event) => events.push(event) });
  const { pid, instanceId, version } = await drover.driver(context.call);
  const connected = events.find((event): event is Connected => event.type === "connected");
  if (globals.json)
    return output.document({
      driver: { instanceId, pid, version, address: drover.address, started: connected?.started ?? false },
      events,
    });
  const took = connected === undefined ? "" : ` after ${durationText(connected.elapsedMs)}`;
  const how = connected?.started ? `was started and serves${took}` : "runs already";
  await output.write(`The driver of the profile ${globals.profile} ${how}: ${drover.address} (process ${pid})\n`);
  if (connected?.differs) output.note(`It is not what is wanted in every point: ${connected.differs}`);
}

async function ensure(context: Context): Promise<void> {
  const { globals, output, call } = context;
  let started = false;
  await using drover = await context.connect({
    onEvent: (event) => {
      if (event.type === "connected") started = event.started;
    },
  });
  const { instanceId, pid, version, apiVersion, profile, fingerprint } = await drover.driver(call);
  const { address } = drover;
  const { tokenFile, tls } = await tokenFileOf(globals);
  const found = { address, tls, tokenFile, instanceId, pid, version, apiVersion, profile, fingerprint, started };
  if (globals.json) return output.document(found);
  await output.write(
    pairs(
      [
        ["address", address],
        ["token file", tokenFile ?? "-"],
        ["instance", instanceId],
      ],
      output.style,
    ),
  );
}
