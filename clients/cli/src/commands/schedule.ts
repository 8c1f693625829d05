import { type Command, Option } from "commander";
import type { Schedule } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { parseDuration } from "../grammar/duration.ts";
import { printable } from "../render/cell.ts";
import { datasetDetailJson } from "../render/json.ts";
import { scheduleText } from "../render/schedule.ts";
import { timeText } from "../render/units.ts";
import { UsageError } from "../usage-error.ts";

interface ScheduleFlags {
  readonly every?: number;
  readonly cron?: string;
  readonly zone?: string;
  readonly off?: boolean;
}

/** `drover schedule NAME --every TIME | --cron EXPRESSION | --off` */
export function registerSchedule(program: Command, act: Act): void {
  program
    .command("schedule <dataset>")
    .description("say when a dataset is refreshed by itself")
    .addOption(new Option("--every <TIME>", "every 30s, 15m, 6h, 1d").argParser(parseDuration))
    .option("--cron <EXPRESSION>", "at times of the clock: minute, hour, day of month, month, day of week")
    .option("--zone <ZONE>", "with --cron: the zone of the clock, for example Europe/Berlin (default: UTC)")
    .option("--off", "no more")
    .action(act(schedule));
}

async function schedule(context: Context, name: string, flags: ScheduleFlags): Promise<void> {
  const wanted = scheduleOf(flags);
  const { connect, call, globals, output } = context;
  await using drover = await connect();
  const dataset = await drover.setSchedule(name, wanted, call);
  if (globals.json) return output.document({ dataset: datasetDetailJson(dataset) });
  const { schedule: set, nextTime } = dataset.refresh ?? {};
  const text = set === undefined ? "is not refreshed by itself" : `${scheduleText(set)}, next ${timeText(nextTime)}`;
  await output.write(`${printable(name)}: ${text}\n`);
}

function scheduleOf({ every, cron, zone, off }: ScheduleFlags): Schedule | null {
  const given = [every, cron, off || undefined].filter((flag) => flag !== undefined);
  if (given.length !== 1) throw new UsageError("give one of --every, --cron and --off");
  if (zone !== undefined && cron === undefined) throw new UsageError("--zone goes with --cron");
  if (every !== undefined) return { everyMs: every };
  return cron === undefined ? null : { cron, zone };
}
