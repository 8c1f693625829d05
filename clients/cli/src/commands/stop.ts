import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { Option } from "commander";
import { type Drover, endOf } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { parseDuration } from "../grammar/duration.ts";
import { durationText } from "../render/units.ts";

interface EndFlags {
  readonly reason?: string;
  readonly wait: boolean;
}

const waitEveryMs = 50;
/** How long a driver may take to end once its deadline is over; it may have been stopped by a signal. */
const patienceMs = 30_000;

/** `drover stop` */
export function registerStop(program: Command, act: Act): void {
  addEndOptions(
    program.command("stop").description("stop the profile's driver; what runs has a few seconds (setting stopGrace)"),
  ).action(act((context, flags: EndFlags) => end(context, flags, (drover, reason) => drover.stop({ reason }))));
}

/** `drover drain` */
export function registerDrain(program: Command, act: Act): void {
  const command = program
    .command("drain")
    .description("let the profile's driver finish what runs and end; new work goes to the next driver")
    .addOption(
      new Option("--within <TIME>", "cancel what still runs after this time (default: setting drainTimeout)").argParser(
        parseDuration,
      ),
    );
  addEndOptions(command).action(
    act((context, flags: EndFlags & { readonly within?: number }) =>
      end(context, flags, (drover, reason) => drover.drain({ reason, timeoutMs: flags.within })),
    ),
  );
}

function addEndOptions(command: Command): Command {
  return command
    .option("--reason <TEXT>", "why, for the log and for attached clients")
    .option("--no-wait", "do not wait for its end");
}

async function end(
  context: Context,
  { reason, wait }: EndFlags,
  ask: (drover: Drover, reason: string) => Promise<{ readonly deadline: Date; readonly runningOperations: number }>,
): Promise<void> {
  const { globals, output, interrupts, call } = context;
  await using drover = await context.connect({ start: false });
  const { instanceId, pid } = await drover.driver(call);
  const hasEnded = await endOf(globals.dataDir, instanceId);
  const { deadline, runningOperations } = await ask(drover, reason ?? "asked for on the command line");
  const ending = { instanceId, pid, deadline, runningOperations };
  if (!globals.json && runningOperations > 0 && wait)
    output.note(
      `${runningOperations} operation${runningOperations === 1 ? "" : "s"} may finish within ${durationText(Math.max(0, deadline.getTime() - Date.now()))}`,
    );
  await drover.close();
  const ended = wait && (await gone(context, hasEnded, deadline));
  if (globals.json) return output.document({ ...ending, ended });
  interrupts.signal.throwIfAborted();
  await output.write(ended ? `The driver has ended (process ${pid})\n` : `The driver ends (process ${pid})\n`);
}

/** A driver that was named by its address may be on another host. */
async function gone(
  { globals, interrupts, call }: Context,
  hasEnded: () => Promise<boolean>,
  deadline: Date,
): Promise<boolean> {
  if (globals.address !== undefined) return false;
  const longestMs = Math.max(deadline.getTime() - Date.now(), 0) + patienceMs;
  const end = performance.now() + Math.min(call.timeoutMs ?? longestMs, longestMs);
  while (!(await hasEnded())) {
    if (performance.now() > end) return false;
    await sleep(waitEveryMs, undefined, { signal: interrupts.signal });
  }
  return true;
}
